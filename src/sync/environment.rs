//! An environment must not lose many applications at once: a vanished folder, branch or file is no intent.

use std::collections::BTreeSet;

use crate::model::digest::{Digest, DigestBuilder};
use crate::model::hold::HoldReason;
use crate::model::name::{EnvironmentName, ServiceName};

/// An environment may lose this share of its applications without confirmation.
const SHRINK_PERCENT: usize = 20;

/// What became of an environment between what is deployed and what Git asks for.
pub struct EnvironmentChange<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// Services that have a head.
    pub deployed: &'a BTreeSet<ServiceName>,
    /// Services that Git names; absent if the environment itself is gone or its folder is.
    pub wanted: Option<&'a BTreeSet<ServiceName>>,
    /// Plan digests that a person confirmed.
    pub confirmed: &'a BTreeSet<Digest>,
}

/// Which services may be removed; the hold of all that vanished, if too many did.
pub fn guard_environment(change: &EnvironmentChange<'_>) -> Result<BTreeSet<ServiceName>, HoldReason> {
    let nothing = BTreeSet::new();
    let wanted = change.wanted.unwrap_or(&nothing);
    let gone: BTreeSet<ServiceName> = change.deployed.difference(wanted).cloned().collect();
    if gone.is_empty() {
        return Ok(gone);
    }
    let mut builder = DigestBuilder::default();
    builder.add(change.environment.as_str().as_bytes());
    gone.iter().for_each(|service| {
        builder.add(service.as_str().as_bytes());
    });
    let plan = builder.finish();
    if change.confirmed.contains(&plan) {
        return Ok(gone);
    }
    if change.wanted.is_none() {
        let why = format!("the environment {} is gone from the config repository", change.environment);
        return Err(HoldReason::EnvironmentShrunk { why, plan });
    }
    let (lost, had) = (gone.len(), change.deployed.len());
    if lost > 1 && lost * 100 > had * SHRINK_PERCENT {
        let why = format!("{} would lose {lost} of its {had} applications", change.environment);
        return Err(HoldReason::EnvironmentShrunk { why, plan });
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(names: &[String]) -> BTreeSet<ServiceName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn guard(had: usize, has: Option<usize>) -> Result<usize, HoldReason> {
        let names: Vec<String> = (0..had).map(|index| format!("s{index}")).collect();
        let deployed = services(&names);
        let wanted = has.map(|has| services(&names[..has]));
        let environment = "dev".parse().unwrap();
        guard_environment(&EnvironmentChange {
            environment: &environment,
            deployed: &deployed,
            wanted: wanted.as_ref(),
            confirmed: &BTreeSet::new(),
        })
        .map(|gone| gone.len())
    }

    #[test]
    fn one_may_go_and_a_fifth_may_go_but_not_more() {
        assert_eq!(guard(1, Some(0)), Ok(1));
        assert_eq!(guard(10, Some(8)), Ok(2));
        assert!(guard(10, Some(7)).is_err());
        assert!(guard(2, Some(0)).is_err());
        assert!(guard(1, None).is_err());
        assert_eq!(guard(0, None), Ok(0));
    }

    #[test]
    fn a_confirmation_is_for_exactly_these() {
        let environment = "dev".parse().unwrap();
        let deployed = services(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        let none = BTreeSet::new();
        let change = EnvironmentChange {
            environment: &environment,
            deployed: &deployed,
            wanted: None,
            confirmed: &none,
        };
        let Err(HoldReason::EnvironmentShrunk { plan, .. }) = guard_environment(&change) else {
            panic!("not held")
        };
        let confirmed = BTreeSet::from([plan]);
        assert_eq!(
            guard_environment(&EnvironmentChange { confirmed: &confirmed, ..change }).unwrap().len(),
            3
        );
        let fewer = services(&["a".to_owned(), "b".to_owned()]);
        let other = EnvironmentChange {
            environment: &environment,
            deployed: &fewer,
            wanted: None,
            confirmed: &confirmed,
        };
        assert!(guard_environment(&other).is_err());
    }
}
