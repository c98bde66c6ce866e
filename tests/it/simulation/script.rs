//! What happens in a simulation, one step a line, so that a failure can be printed, shrunk and played again.

use std::fmt;
use std::str::FromStr;

use super::files::{CHARTED, CODED, LATER, MEMBERS};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A commit that changes a service: `good`, `image`, `yaml` or `invalid`.
    Commit(String, String),
    /// A commit that adds or drops an extra ConfigMap of a service.
    Extra(String, u8),
    /// A commit that puts a service into an environment, or takes it out.
    Member(String, String),
    /// A commit of the files of the commit before.
    Revert,
    /// The branch points at an older commit.
    Force(usize),
    /// The branch of the code repository points at an older commit.
    Rewind(usize),
    /// A commit that pins prod to what the branch of the code repository points at.
    Promote,
    /// A commit without any file.
    Empty,
    /// A repository (`config`, `code`, `charts` or `state`) cannot be reached from now on, or can again.
    Reach(String, bool),
    /// Somebody edits (`value`, `image`), scales, annotates (`note`) or deletes an object of a service in an
    /// environment, or its `namespace`, or puts a `stranger` with our labels beside them.
    Meddle(String, String, String),
    /// Somebody deletes the head, or head and sets, of an application.
    Lose(String, String, bool),
    /// The data directory is lost, and with it every chart that was fetched.
    Forget,
    /// Something goes wrong with the API server, in the words of a fault rule.
    Fault(String),
    /// Nothing goes wrong with the API server any more.
    Calm,
    /// All daemons are killed at the nth call from now, and one is started.
    Crash(u32),
    /// The daemon is stopped properly and started again.
    Restart,
    /// A second daemon runs beside the first, or no longer.
    Rival(bool),
    /// The clock of the daemons' machine is set: so many seconds ahead of the API server's, or behind it.
    Clock(i64),
    /// Time passes.
    Wait(u32),
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(service, quality) => write!(formatter, "commit {service} {quality}"),
            Self::Extra(service, number) => write!(formatter, "extra {service} {number}"),
            Self::Member(environment, service) => write!(formatter, "member {environment} {service}"),
            Self::Revert => formatter.write_str("revert"),
            Self::Force(back) => write!(formatter, "force {back}"),
            Self::Rewind(back) => write!(formatter, "rewind {back}"),
            Self::Promote => formatter.write_str("promote"),
            Self::Empty => formatter.write_str("empty"),
            Self::Reach(repository, reachable) => write!(formatter, "reach {repository} {reachable}"),
            Self::Meddle(environment, service, how) => {
                write!(formatter, "meddle {environment} {service} {how}")
            }
            Self::Lose(environment, service, sets) => {
                write!(formatter, "lose {environment} {service} {sets}")
            }
            Self::Fault(rule) => write!(formatter, "fault {rule}"),
            Self::Forget => formatter.write_str("forget"),
            Self::Calm => formatter.write_str("calm"),
            Self::Crash(calls) => write!(formatter, "crash {calls}"),
            Self::Restart => formatter.write_str("restart"),
            Self::Rival(runs) => write!(formatter, "rival {runs}"),
            Self::Clock(seconds) => write!(formatter, "clock {seconds}"),
            Self::Wait(seconds) => write!(formatter, "wait {seconds}"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let wrong = || format!("not a step: {line:?}");
        let text = |index: usize| words.get(index).map(|word| (*word).to_owned()).ok_or_else(wrong);
        Ok(match text(0)?.as_str() {
            "commit" => Self::Commit(text(1)?, text(2)?),
            "extra" => Self::Extra(text(1)?, parsed(&text(2)?, line)?),
            "member" => Self::Member(text(1)?, text(2)?),
            "revert" => Self::Revert,
            "force" => Self::Force(parsed(&text(1)?, line)?),
            "rewind" => Self::Rewind(parsed(&text(1)?, line)?),
            "promote" => Self::Promote,
            "empty" => Self::Empty,
            "reach" => Self::Reach(text(1)?, parsed(&text(2)?, line)?),
            "meddle" => Self::Meddle(text(1)?, text(2)?, text(3)?),
            "lose" => Self::Lose(text(1)?, text(2)?, parsed(&text(3)?, line)?),
            "fault" => Self::Fault(text(1)?),
            "forget" => Self::Forget,
            "calm" => Self::Calm,
            "crash" => Self::Crash(parsed(&text(1)?, line)?),
            "restart" => Self::Restart,
            "rival" => Self::Rival(parsed(&text(1)?, line)?),
            "clock" => Self::Clock(parsed(&text(1)?, line)?),
            "wait" => Self::Wait(parsed(&text(1)?, line)?),
            _ => return Err(wrong()),
        })
    }
}

fn parsed<T: FromStr>(text: &str, line: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a step: {line:?}"))
}

/// Numbers from a seed (splitmix64, Steele and others 2014).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Begins with a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    /// One of several.
    pub(crate) fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[usize::try_from(self.below(items.len() as u64)).unwrap_or(0)]
    }
}

/// The script of a seed: about a dozen steps.
pub(crate) fn of_seed(seed: u64) -> Vec<Step> {
    let mut chance = Chance::new(seed);
    let count = 4 + chance.below(12);
    (0..count).map(|_| step(&mut chance)).collect()
}

fn small(chance: &mut Chance, limit: u64) -> u32 {
    u32::try_from(chance.below(limit)).unwrap_or(0)
}

fn step(chance: &mut Chance) -> Step {
    let service = chance.pick(&["api", "web", CODED, CHARTED]).to_owned();
    let (environment, member) =
        *MEMBERS.iter().chain(&LATER).nth(small(chance, 7) as usize).unwrap_or(&MEMBERS[0]);
    let (environment, member) = (environment.to_owned(), member.to_owned());
    match chance.below(36) {
        0..=4 => Step::Commit(service, "good".to_owned()),
        5..=6 => Step::Commit(service, chance.pick(&["image", "yaml", "invalid"]).to_owned()),
        7 => Step::Extra(service, u8::try_from(chance.below(5)).unwrap_or(0)),
        8 => Step::Member(environment, member),
        9 => Step::Revert,
        10 => Step::Force(1 + small(chance, 3) as usize),
        11 => Step::Empty,
        12..=13 => {
            Step::Reach(chance.pick(&["config", "code", "charts", "state"]).to_owned(), chance.below(2) == 0)
        }
        14..=17 => Step::Meddle(
            environment,
            member,
            chance.pick(&["value", "scale", "note", "delete", "image", "stranger", "namespace"]).to_owned(),
        ),
        18 => Step::Lose(environment, member, chance.below(2) == 0),
        19..=21 => Step::Fault(fault(chance)),
        22 => Step::Calm,
        23..=25 => Step::Crash(1 + small(chance, 40)),
        26 => Step::Restart,
        27 => Step::Rival(chance.below(2) == 0),
        28 => Step::Clock([0, 40, -40, 7_200, -7_200][small(chance, 5) as usize]),
        29 => Step::Rewind(1 + small(chance, 2) as usize),
        30..=31 => Step::Promote,
        32 => Step::Forget,
        _ => Step::Wait(1 + small(chance, 45)),
    }
}

fn fault(chance: &mut Chance) -> String {
    let times = 1 + chance.below(6);
    let kind = chance.pick(&[
        "latency=700",
        "429=1",
        "500",
        "reset",
        "lost",
        "drop=1",
        "stall=1",
        "conflict",
        "stale=5",
    ]);
    match chance.below(3) {
        0 => format!("{kind},times={times}"),
        1 => format!("{kind},verb=patch,times={times}"),
        _ => format!("{kind},chance=20%,times={times}"),
    }
}
