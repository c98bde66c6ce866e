//! Charts of chart repositories that the environments ask for: fetched once, chosen again only where a range of
//! versions is asked for. What cannot be fetched holds what needs it, and changes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::adapters::charts::{ChartSourceError, Charts};
use crate::adapters::clock::Clock;
use crate::adapters::workers::Workers;
use crate::desired::{Supplied, Supply};
use crate::helm::{Chart, highest_version, is_exact_version};
use crate::model::chart::{ChartArchive, ChartNeed};
use crate::model::digest::Digest;
use crate::model::error::{Classified as _, chain};
use crate::model::hold::HoldReason;

/// So many repositories are asked at once.
const PARALLEL: usize = 8;
/// How long the highest version of a range stays the highest without asking.
const RANGE: SignedDuration = SignedDuration::from_mins(5);
/// So many versions are named where none fits.
const NEAREST: usize = 3;

/// Why a chart is not on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Absent {
    /// Its repository did not give it.
    Source(ChartSourceError),
    /// No version fits; the newest ones that there are.
    NoVersion(Vec<String>),
    /// The archive is no chart that can be used.
    Broken(String),
}

/// What was fetched and why other things were not.
pub(super) struct Shelf {
    charts: Arc<dyn Charts>,
    workers: Workers,
    clock: Arc<dyn Clock>,
    supply: Supply,
    /// When the version of a range was chosen.
    chosen: BTreeMap<ChartNeed, Timestamp>,
    absent: BTreeMap<ChartNeed, Absent>,
    used: BTreeSet<ChartNeed>,
}

impl Shelf {
    /// An empty shelf.
    pub(super) fn new(charts: Arc<dyn Charts>, clock: Arc<dyn Clock>, workers: Workers) -> Self {
        Self {
            charts,
            workers,
            clock,
            supply: Supply::new(),
            chosen: BTreeMap::new(),
            absent: BTreeMap::new(),
            used: BTreeSet::new(),
        }
    }

    /// Everything that was fetched.
    pub(super) fn supply(&self) -> &Supply {
        &self.supply
    }

    /// Those of these charts that were fetched.
    pub(super) fn supply_of(&self, needs: &BTreeSet<ChartNeed>) -> Supply {
        let found = needs.iter().filter_map(|need| Some((need.clone(), self.supply.get(need)?.clone())));
        found.collect()
    }

    /// Sees to it that these charts are there and, where a range is asked for, the highest ones. True if anything
    /// is another than before.
    pub(super) async fn bring(&mut self, needs: &BTreeSet<ChartNeed>) -> bool {
        self.used.extend(needs.iter().cloned());
        let now = self.clock.steady();
        let due: Vec<ChartNeed> = needs.iter().filter(|need| self.is_due(need, now)).cloned().collect();
        let (charts, workers, parsed) = (&self.charts, &self.workers, &self.parsed());
        let fetch = |need: ChartNeed| async move {
            let found = match find(&**charts, &need).await {
                Ok(archive) => parse(workers, parsed, &need, archive).await,
                Err(absent) => Err(absent),
            };
            (need, found)
        };
        let found: Vec<_> =
            futures::stream::iter(due.into_iter().map(fetch)).buffer_unordered(PARALLEL).collect().await;
        let mut changed = false;
        for (need, found) in found {
            changed |= self.put(need, found, now);
        }
        changed
    }

    fn is_due(&self, need: &ChartNeed, now: Timestamp) -> bool {
        if !self.supply.contains_key(need) {
            return true;
        }
        let chosen = self.chosen.get(need).copied().unwrap_or(now);
        !is_exact_version(&need.version) && now.duration_since(chosen) >= RANGE
    }

    /// Charts that were parsed already, by the digests of their archives.
    fn parsed(&self) -> BTreeMap<Digest, Supplied> {
        self.supply.values().map(|supplied| (supplied.digest, supplied.clone())).collect()
    }

    fn put(&mut self, need: ChartNeed, supplied: Result<Supplied, Absent>, now: Timestamp) -> bool {
        match supplied {
            Ok(supplied) => {
                self.chosen.insert(need.clone(), now);
                let was_absent = self.absent.remove(&need).is_some();
                let before = self.supply.insert(need, supplied.clone());
                was_absent || before.is_none_or(|before| before.digest != supplied.digest)
            }
            // What was fetched once stays while its repository is away or has lost it.
            Err(_) if self.supply.contains_key(&need) => false,
            Err(absent) => self.absent.insert(need, absent.clone()) != Some(absent),
        }
    }

    /// Forgets what nobody asked for since the last time.
    pub(super) fn tidy(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.supply.retain(|need, _| used.contains(need));
        self.chosen.retain(|need, _| used.contains(need));
        self.absent.retain(|need, _| used.contains(need));
    }

    /// What holds an application that needs a chart which is not there; `place` is where it is asked for.
    pub(super) fn hold(&self, need: &ChartNeed, place: &str) -> HoldReason {
        let (message, hint) = match self.absent.get(need) {
            Some(Absent::Source(
                error @ (ChartSourceError::Unreachable { .. } | ChartSourceError::Store { .. }),
            )) => {
                return HoldReason::ChartUnavailable { chart: need.to_string(), message: chain(error) };
            }
            Some(Absent::Source(error)) => (chain(error), error.hint()),
            Some(Absent::NoVersion(nearest)) => {
                let address = &need.address;
                let message = format!(
                    "{} has no version of {} that fits {}",
                    address.repository, address.name, need.version
                );
                let hint = match nearest.as_slice() {
                    [] => "it has no version at all".to_owned(),
                    some => format!("it has {}", some.join(", ")),
                };
                (message, Some(hint))
            }
            Some(Absent::Broken(why)) => (format!("the chart {need} cannot be used: {why}"), None),
            None => {
                let message = "it was not asked for yet".to_owned();
                return HoldReason::ChartUnavailable { chart: need.to_string(), message };
            }
        };
        HoldReason::ConfigFault { fault: format!("{place}: {message}"), hint }
    }
}

/// Reads an archive, unless it was read before under another need.
async fn parse(
    workers: &Workers,
    parsed: &BTreeMap<Digest, Supplied>,
    need: &ChartNeed,
    archive: ChartArchive,
) -> Result<Supplied, Absent> {
    let digest = archive.digest;
    let supplied = match parsed.get(&digest) {
        Some(known) => known.clone(),
        None => {
            let read = move || Chart::from_archive(&archive.bytes).map_err(|error| error.to_string());
            let chart = workers.finish(read).await.unwrap_or_else(Err).map_err(Absent::Broken)?;
            Supplied { chart, digest }
        }
    };
    let name = supplied.chart.name();
    if name != need.address.name.as_str() {
        return Err(Absent::Broken(format!("the archive holds the chart {name:?}")));
    }
    Ok(supplied)
}

/// Finds the archive for a need: without asking anybody where one version is named that was fetched before.
async fn find(charts: &dyn Charts, need: &ChartNeed) -> Result<ChartArchive, Absent> {
    let exact = is_exact_version(&need.version);
    if exact {
        if let Some(archive) = charts.kept(&need.address, &need.version).await {
            return Ok(archive);
        }
        // A registry is asked for the version itself; its list of tags is for people who mistyped it.
        if need.address.repository.is_oci() {
            match charts.archive(&need.address, &need.version).await {
                Err(ChartSourceError::Missing { .. }) => {}
                other => return other.map_err(Absent::Source),
            }
        }
    }
    let versions = charts.versions(&need.address).await.map_err(Absent::Source)?;
    let all = || versions.list.iter().map(String::as_str);
    match highest_version(&need.version, all()) {
        Ok(Some(version)) => charts.archive(&need.address, version).await.map_err(Absent::Source),
        Ok(None) => Err(versions
            .outdated
            .clone()
            .map_or_else(|| Absent::NoVersion(nearest(need, all())), Absent::Source)),
        Err(message) => Err(Absent::Broken(message)),
    }
}

/// The versions that a person may have meant: the highest ones that begin as the wanted one does, else the highest.
fn nearest<'v>(need: &ChartNeed, versions: impl Iterator<Item = &'v str> + Clone) -> Vec<String> {
    let digits = need.version.trim_start_matches(|char: char| !char.is_ascii_digit());
    let major = digits.split(['.', '-', ' ']).next().unwrap_or_default();
    let alike = |version: &&str| {
        version.trim_start_matches('v').split('.').next().is_some_and(|first| first == major)
    };
    let mut left: Vec<&str> = versions.clone().filter(alike).collect();
    if left.is_empty() {
        left = versions.collect();
    }
    let mut nearest = Vec::new();
    while nearest.len() < NEAREST
        && let Ok(Some(version)) = highest_version("*-0", left.iter().copied())
    {
        nearest.push(version.to_owned());
        left.retain(|other| *other != version);
    }
    nearest
}
