//! What the containers of a pod go through, as states that move with the time. Knows no store.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::super::super::object::Fields;
use super::super::Pace;
use super::super::actions::later;

const FAIL: &str = "sandbox.moorline.dev/fail";
const FAIL_AFTER: &str = "sandbox.moorline.dev/fail-after";
const START_DELAY: &str = "sandbox.moorline.dev/start-delay";

/// From the failed pull to its back-off.
const PULL_BACK_OFF: Duration = Duration::from_secs(1);
/// The first wait between two runs of a container that crashes; each is twice as long as the one before.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);

/// Whether a pod, or one of its containers, is to fail in that way.
pub(in super::super) fn fails(pod: &Value, annotation: &str, tag: &str) -> bool {
    if pod.annotation(FAIL) == Some(annotation) {
        return true;
    }
    ["/spec/containers", "/spec/initContainers"]
        .iter()
        .flat_map(|list| pod.items(list))
        .any(|container| tag_of(container.text("/image")).contains(tag))
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Runs,
    Completes,
    Missing,
    Crashes,
    Unready,
}

fn tag_of(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("", |(_, tag)| tag)
}

fn habit(pod: &Value, container: &Value, ends: bool) -> Habit {
    let tag = tag_of(container.text("/image"));
    match pod.annotation(FAIL) {
        Some("image") => Habit::Missing,
        Some("crash") => Habit::Crashes,
        Some("probe") => Habit::Unready,
        _ if tag.contains("missing") => Habit::Missing,
        _ if tag.contains("crash") => Habit::Crashes,
        _ if tag.contains("unready") => Habit::Unready,
        _ if ends => Habit::Completes,
        _ => Habit::Runs,
    }
}

/// `500ms`, `5s`, `2m`.
fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: u64 = text.get(..end)?.parse().ok()?;
    match text.get(end..)? {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.saturating_mul(60))),
        _ => None,
    }
}

/// Where a container stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for its image, until then.
    Creating {
        /// Until then.
        until: Timestamp,
    },
    /// Its image is not there.
    PullFailed {
        /// Since then.
        since: Timestamp,
        /// Whether it is tried less and less often by now.
        backing_off: bool,
    },
    /// It runs.
    Running {
        /// Since then.
        since: Timestamp,
        /// For the how manieth time, counted from 0.
        run: i64,
    },
    /// It ended badly and waits to be started again.
    BackOff {
        /// When its last run began.
        started: Timestamp,
        /// When that ended.
        ended: Timestamp,
        /// When the next one begins.
        until: Timestamp,
        /// Which one it was.
        run: i64,
    },
    /// It ended and is not started again.
    Ended {
        /// When its last run began.
        started: Timestamp,
        /// When that ended.
        ended: Timestamp,
        /// Its exit code.
        code: i64,
        /// Which one it was.
        run: i64,
    },
}

/// What is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Pulling { image: String },
    PullFailed { image: String },
    PullBackOff { image: String },
    Started { container: String, image: String, run: i64, at: Timestamp },
    Unready { container: String },
    Crashed { container: String, run: i64, at: Timestamp },
    BackOff { container: String },
    Completed { container: String, run: i64, at: Timestamp },
}

/// A container that has been started at least once.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(in super::super) state: State,
    /// When and how its run before this one went.
    pub(in super::super) last: Option<(Timestamp, Timestamp)>,
    pub(in super::super) ready: bool,
    image: String,
}

/// A pod on its node.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(in super::super) address: String,
    pub(in super::super) placed: Timestamp,
    pub(in super::super) containers: BTreeMap<String, Container>,
}

impl Life {
    /// A pod that has just been placed.
    pub(super) fn begin(pod: &Value, address: String, now: Timestamp, pace: &Pace) -> Life {
        let until = later(now, delay(pod, pace));
        let mut containers = BTreeMap::new();
        for list in ["/spec/initContainers", "/spec/containers"] {
            for container in pod.items(list) {
                containers.insert(container.text("/name").to_owned(), created(container, until));
            }
        }
        Life { address, placed: now, containers }
    }

    /// Whether all that must end before the others begin has ended, or runs beside them.
    pub(in super::super) fn is_initialized(&self, pod: &Value) -> bool {
        pod.items("/spec/initContainers").iter().all(|container| {
            let state = self.containers.get(container.text("/name")).map(|container| container.state);
            match state {
                Some(State::Ended { code, .. }) => code == 0,
                Some(State::Running { .. }) => container.text("/restartPolicy") == "Always",
                _ => false,
            }
        })
    }

    /// Moves on to a time: what happened, and when something will happen next.
    pub(super) fn advance(
        &mut self,
        pod: &Value,
        now: Timestamp,
        pace: &Pace,
    ) -> (Option<Timestamp>, Vec<Happening>) {
        let (mut due, mut told): (Option<Timestamp>, Vec<Happening>) = (None, Vec::new());
        let delay = delay(pod, pace);
        let policy = match pod.text("/spec/restartPolicy") {
            "" => "Always",
            policy => policy,
        };
        for list in ["/spec/initContainers", "/spec/containers"] {
            let init = list == "/spec/initContainers";
            if !init && !self.is_initialized(pod) {
                break;
            }
            for spec in pod.items(list) {
                let sidecar = init && spec.text("/restartPolicy") == "Always";
                let policy = match (init, sidecar) {
                    (_, true) => "Always",
                    (true, false) if policy == "Always" => "OnFailure",
                    _ => policy,
                };
                let rules = Rules {
                    habit: habit(pod, spec, policy != "Always"),
                    restarts: policy != "Never",
                    // What is to be initialized takes no time of its own.
                    completes_after: if init { Duration::ZERO } else { delay },
                    crashes_after: pod
                        .annotation(FAIL_AFTER)
                        .and_then(duration)
                        .unwrap_or(Duration::from_secs(1)),
                };
                let name = spec.text("/name").to_owned();
                let container =
                    self.containers.entry(name.clone()).or_insert_with(|| created(spec, later(now, delay)));
                if container.image != spec.text("/image") {
                    *container = created(spec, later(now, delay));
                }
                let next = container.advance(&name, &rules, now, &mut told);
                due = [due, next].into_iter().flatten().min();
                // One after the other; those that run on are passed.
                let passed = matches!(container.state, State::Ended { code: 0, .. })
                    || sidecar && matches!(container.state, State::Running { .. });
                if init && !passed {
                    break;
                }
            }
        }
        (due, told)
    }
}

fn created(spec: &Value, until: Timestamp) -> Container {
    Container {
        state: State::Creating { until },
        last: None,
        ready: false,
        image: spec.text("/image").to_owned(),
    }
}

fn delay(pod: &Value, pace: &Pace) -> Duration {
    pod.annotation(START_DELAY).and_then(duration).unwrap_or(pace.start)
}

struct Rules {
    habit: Habit,
    restarts: bool,
    completes_after: Duration,
    crashes_after: Duration,
}

impl Container {
    fn advance(
        &mut self,
        name: &str,
        rules: &Rules,
        now: Timestamp,
        told: &mut Vec<Happening>,
    ) -> Option<Timestamp> {
        // Each turn passes a point in time, and those are seconds apart or end the loop.
        for _ in 0..1000 {
            let due = self.turn(name, rules, now, told)?;
            if due > now {
                return Some(due);
            }
        }
        Some(later(now, Duration::from_secs(1)))
    }

    /// One change of state, if it is due: when to look again, or nothing if no more will change.
    fn turn(
        &mut self,
        name: &str,
        rules: &Rules,
        now: Timestamp,
        told: &mut Vec<Happening>,
    ) -> Option<Timestamp> {
        let image = self.image.clone();
        let container = name.to_owned();
        match self.state {
            State::Creating { until } | State::BackOff { until, .. } if until > now => Some(until),
            State::Creating { until } if rules.habit == Habit::Missing => {
                told.push(Happening::Pulling { image: image.clone() });
                told.push(Happening::PullFailed { image });
                self.state = State::PullFailed { since: until, backing_off: false };
                Some(now)
            }
            State::Creating { until } => {
                told.push(Happening::Pulling { image });
                self.start(container, 0, until, rules, told);
                Some(now)
            }
            State::PullFailed { since, backing_off: false } => {
                let due = later(since, PULL_BACK_OFF);
                if due <= now {
                    told.push(Happening::PullBackOff { image });
                    self.state = State::PullFailed { since, backing_off: true };
                }
                Some(due).filter(|due| *due > now)
            }
            State::PullFailed { .. } | State::Ended { .. } => None,
            State::Running { since, run } => self.runs(container, since, run, rules, now, told),
            State::BackOff { started, ended, until, run } => {
                self.last = Some((started, ended));
                self.start(container, run + 1, until, rules, told);
                Some(now)
            }
        }
    }

    fn start(&mut self, name: String, run: i64, at: Timestamp, rules: &Rules, told: &mut Vec<Happening>) {
        self.state = State::Running { since: at, run };
        self.ready = rules.habit != Habit::Unready;
        told.push(Happening::Started { container: name.clone(), image: self.image.clone(), run, at });
        if !self.ready {
            told.push(Happening::Unready { container: name });
        }
    }

    fn runs(
        &mut self,
        name: String,
        since: Timestamp,
        run: i64,
        rules: &Rules,
        now: Timestamp,
        told: &mut Vec<Happening>,
    ) -> Option<Timestamp> {
        let (after, code) = match rules.habit {
            Habit::Completes => (rules.completes_after, 0),
            Habit::Crashes => (rules.crashes_after, 1),
            _ => return None,
        };
        let ended = later(since, after);
        if ended > now {
            return Some(ended);
        }
        self.ready = false;
        if code == 0 {
            told.push(Happening::Completed { container: name, run, at: ended });
            self.state = State::Ended { started: since, ended, code, run };
            return None;
        }
        told.push(Happening::Crashed { container: name.clone(), run, at: ended });
        if !rules.restarts {
            self.state = State::Ended { started: since, ended, code, run };
            return None;
        }
        // The first time it is started again at once.
        let wait = match u32::try_from(run) {
            Ok(0) | Err(_) => Duration::ZERO,
            Ok(run) => {
                FIRST_BACK_OFF.saturating_mul(1 << run.min(10).saturating_sub(1)).min(LONGEST_BACK_OFF)
            }
        };
        if !wait.is_zero() {
            told.push(Happening::BackOff { container: name });
        }
        self.state = State::BackOff { started: since, ended, until: later(ended, wait), run };
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(image: &str, policy: &str) -> Value {
        json!({"metadata": {"name": "a"}, "spec": {"restartPolicy": policy,
            "initContainers": [{"name": "i", "image": "init:1"}], "containers": [{"name": "c", "image": image}]}})
    }

    fn state_after(pod: &Value, seconds: i64) -> String {
        let pace = Pace::default();
        let begin = Timestamp::UNIX_EPOCH;
        let mut life = Life::begin(pod, String::new(), begin, &pace);
        let mut now = begin;
        let end = Timestamp::from_second(seconds).unwrap_or_default();
        while let (Some(due), _) = life.advance(pod, now, &pace)
            && due <= end
        {
            now = due;
        }
        let container = life.containers.get("c").map(|container| container.state);
        match container {
            Some(State::Creating { .. }) => "creating".to_owned(),
            Some(State::PullFailed { backing_off, .. }) => format!("pull failed, backing off {backing_off}"),
            Some(State::Running { run, .. }) => format!("running {run}"),
            Some(State::BackOff { run, until, .. }) => format!("back-off {run} until {}", until.as_second()),
            Some(State::Ended { code, .. }) => format!("ended {code}"),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn lives_of_containers() {
        for (image, policy, seconds, expected) in [
            ("web:1", "Always", 0, "creating"),
            ("web:1", "Always", 1, "running 0"),
            ("web:1", "Never", 5, "ended 0"),
            ("web:missing", "Always", 1, "pull failed, backing off false"),
            ("web:missing", "Always", 2, "pull failed, backing off true"),
            ("web:crash", "Never", 2, "ended 1"),
            ("web:crash", "Always", 2, "running 1"),
            ("web:crash", "Always", 3, "back-off 1 until 13"),
            ("web:crash", "Always", 14, "back-off 2 until 34"),
            ("crash/web:1", "Always", 9, "running 0"),
        ] {
            assert_eq!(state_after(&pod(image, policy), seconds), expected, "{image} {policy} {seconds}");
        }
    }
}
