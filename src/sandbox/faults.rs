//! Faults on demand: what goes wrong, for which requests, how often. Decided here; a transport carries out the rest.

use std::str::FromStr;
use std::time::Duration;

use super::ids::Ids;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer takes that long.
    Latency(Duration),
    /// 429, with the seconds to wait.
    TooManyRequests(u32),
    /// 500.
    ServerError,
    /// The connection breaks before anything is done.
    Reset,
    /// It is done, but the connection breaks before the answer.
    LostAnswer,
    /// 409, as if somebody had written meanwhile.
    Conflict,
    /// 403, as if the rights were missing.
    Forbidden,
    /// A read sees what was there so many versions ago.
    StaleRead(u64),
    /// A watch ends after so many events.
    DropWatch(u32),
    /// A watch says nothing more after so many events.
    StallWatch(u32),
}

/// A fault and the requests that it befalls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// Only for that verb (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`…).
    pub verb: Option<String>,
    /// Only for that resource (`pods`, `deployments.apps`, `pods/log`).
    pub resource: Option<String>,
    /// Only in that namespace.
    pub namespace: Option<String>,
    /// Only for objects of that name.
    pub name: Option<String>,
    /// In how many of a thousand cases.
    pub per_mille: u64,
    /// How often at most.
    pub times: Option<u32>,
    /// How many matching requests are spared first.
    pub skip: u32,
}

impl FaultRule {
    /// A fault that befalls every request.
    pub fn new(fault: Fault) -> FaultRule {
        FaultRule {
            fault,
            verb: None,
            resource: None,
            namespace: None,
            name: None,
            per_mille: 1000,
            times: None,
            skip: 0,
        }
    }

    fn applies(&self, asked: &Asked<'_>) -> bool {
        let is =
            |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.verb, asked.verb)
            && is(&self.resource, asked.resource)
            && is(&self.namespace, asked.namespace)
            && is(&self.name, asked.name)
    }
}

/// A text that does not describe a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fault: {text:?}: {why}")]
pub struct FaultSyntaxError {
    text: String,
    why: String,
}

/// `KIND[=VALUE][,verb=…][,resource=…][,namespace=…][,name=…][,chance=10%][,times=3][,skip=5]`; the kinds are
/// latency=MILLISECONDS, 429=SECONDS, 500, reset, lost, conflict, forbidden, stale=VERSIONS, drop=EVENTS, stall=EVENTS.
impl FromStr for FaultRule {
    type Err = FaultSyntaxError;

    fn from_str(text: &str) -> Result<FaultRule, FaultSyntaxError> {
        let wrong = |why: String| FaultSyntaxError { text: text.to_owned(), why };
        let mut parts = text.split(',');
        let (kind, value) = match parts.next().unwrap_or_default().split_once('=') {
            Some((kind, value)) => (kind, Some(value)),
            None => (parts_head(text), None),
        };
        let number = |default: u32| match value {
            Some(value) => value.parse::<u32>().map_err(|_| wrong(format!("{value:?} is no number"))),
            None => Ok(default),
        };
        let mut rule = FaultRule::new(match kind {
            "latency" => Fault::Latency(Duration::from_millis(number(100)?.into())),
            "429" => Fault::TooManyRequests(number(1)?),
            "500" => Fault::ServerError,
            "reset" => Fault::Reset,
            "lost" => Fault::LostAnswer,
            "conflict" => Fault::Conflict,
            "forbidden" => Fault::Forbidden,
            "stale" => Fault::StaleRead(number(1)?.into()),
            "drop" => Fault::DropWatch(number(0)?),
            "stall" => Fault::StallWatch(number(0)?),
            other => return Err(wrong(format!("{other:?} is none of the kinds"))),
        });
        for part in parts {
            let (key, value) =
                part.split_once('=').ok_or_else(|| wrong(format!("{part:?} is not key=value")))?;
            let count = || value.parse::<u32>().map_err(|_| wrong(format!("{value:?} is no number")));
            match key {
                "verb" => rule.verb = Some(value.to_owned()),
                "resource" => rule.resource = Some(value.to_owned()),
                "namespace" => rule.namespace = Some(value.to_owned()),
                "name" => rule.name = Some(value.to_owned()),
                "times" => rule.times = Some(count()?),
                "skip" => rule.skip = count()?,
                "chance" => {
                    let percent = value.strip_suffix('%').and_then(|value| value.parse::<u32>().ok());
                    let percent = percent.ok_or_else(|| wrong(format!("{value:?} is no percentage")))?;
                    rule.per_mille = u64::from(percent.min(100)) * 10;
                }
                other => return Err(wrong(format!("{other:?} is none of the keys"))),
            }
        }
        Ok(rule)
    }
}

fn parts_head(text: &str) -> &str {
    text.split(',').next().unwrap_or_default()
}

/// A request, as rules look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `get`, `list`, `watch`, …
    pub verb: &'a str,
    /// `pods`, `deployments.apps`, `pods/log`.
    pub resource: &'a str,
    /// The namespace; empty for none.
    pub namespace: &'a str,
    /// The name; empty for none.
    pub name: &'a str,
}

/// What is to go wrong.
#[derive(Clone, Debug)]
pub struct Faults {
    rules: Vec<FaultRule>,
    chance: Ids,
}

impl Faults {
    /// Nothing goes wrong, until rules are added; their chances come from a seed.
    pub fn new(seed: u64) -> Faults {
        Faults { rules: Vec::new(), chance: Ids::new(seed ^ 0xfau64) }
    }

    /// Adds a rule.
    pub fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    /// Nothing goes wrong any more.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Whether a fault would befall a request; no chance is used up.
    pub fn would(&self, asked: &Asked<'_>, fault: Fault) -> bool {
        self.rules.iter().any(|rule| rule.fault == fault && rule.times != Some(0) && rule.applies(asked))
    }

    /// Which faults befall a request.
    pub fn decide(&mut self, asked: &Asked<'_>) -> Vec<Fault> {
        let mut befalling = Vec::new();
        for rule in &mut self.rules {
            if !rule.applies(asked) || rule.times == Some(0) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if rule.per_mille < 1000 && self.chance.below(1000) >= rule.per_mille {
                continue;
            }
            rule.times = rule.times.map(|times| times - 1);
            befalling.push(rule.fault);
        }
        befalling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_and_used_up() {
        let rule: Result<FaultRule, _> = "429=2,verb=create,resource=pods,times=2,skip=1".parse();
        let Ok(rule) = rule else { panic!("the text is right") };
        let mut faults = Faults::new(1);
        faults.add(rule);
        let asked = Asked { verb: "create", resource: "pods", namespace: "a", name: "b" };
        let decided: Vec<usize> = (0..4).map(|_| faults.decide(&asked).len()).collect();
        assert_eq!(decided, [0, 1, 1, 0]);
        assert_eq!(faults.decide(&Asked { verb: "get", ..asked }), []);
        for wrong in ["", "boom", "429=x", "500,verb", "500,chance=3", "500,x=y"] {
            assert!(wrong.parse::<FaultRule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn chance_comes_from_the_seed() {
        let decided = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(FaultRule { per_mille: 500, ..FaultRule::new(Fault::Reset) });
            (0..64).map(|_| faults.decide(&Asked::default()).len().to_string()).collect::<String>()
        };
        assert_eq!(decided(3), decided(3));
        assert_ne!(decided(3), decided(4));
        assert!(decided(3).contains('0') && decided(3).contains('1'));
    }
}
