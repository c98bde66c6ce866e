//! The end of a play: everything works again, and all must come to rest as Git says, or say why not.

use std::sync::Arc;
use std::time::Duration;

use moorline::adapters::clock::Clock as _;
use moorline::model::drift::SyncStatus;
use moorline::report::status::Board;
use moorline_doubles::sandbox::look;
use serde_json::Value;

use super::cluster::{head, locked};
use super::files::{CHARTED, Quality};
use super::play::{Played, Theatre, chart, code_url, stop, uid, url};

/// How long everything may take to settle once nothing goes wrong any more.
const SETTLING: Duration = Duration::from_mins(40);

/// Reasons that may hold nothing for long once everything works again.
const PASSING: [&str; 5] =
    ["SourceUnavailable", "ChartUnavailable", "ApiUnavailable", "StateUnavailable", "Retrying"];

impl Theatre {
    /// Everything works again; then all must come to rest as Git says, or say why not.
    pub(super) async fn end(self) -> Result<Played, String> {
        self.served.cluster().store.faults.clear();
        self.memory.mishaps.clear();
        self.memory.repositories.set_reachable(&url(), true);
        self.memory.repositories.set_reachable(&code_url(), true);
        self.memory.charts.set_reachable(&chart().repository, true);
        let started = tokio::time::Instant::now();
        let mut last = String::new();
        // What was called after the last fault and before everybody heard of it may wait for its patience.
        while started.elapsed() < SETTLING {
            tokio::time::sleep(Duration::from_secs(20)).await;
            self.check()?;
            match self.unsettled() {
                None => return self.quiet().await,
                Some(why) => last = why,
            }
        }
        Err(format!("not settled after {} minutes: {last}", SETTLING.as_secs() / 60))
    }

    /// A settled world stays as it is.
    async fn quiet(mut self) -> Result<Played, String> {
        let writes = locked(&self.book).writes.len();
        tokio::time::sleep(Duration::from_mins(3)).await;
        self.check()?;
        if let Some(why) = self.unsettled() {
            return Err(format!("settled, and then not: {why}"));
        }
        let more = locked(&self.book).writes[writes..].to_vec();
        // What is held by somebody's hand is tried again from time to time.
        let held = self
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.board.borrow().applications.iter().any(|one| !one.holds.is_empty()));
        if !more.is_empty() && !held {
            return Err(format!("writes in a settled world: {}", more.join(", ")));
        }
        self.check_records()?;
        self.check_notes()?;
        self.check_namespaces()?;
        for daemon in self.daemon.take().into_iter().chain(self.rival.take()) {
            stop(daemon).await;
        }
        let cluster = self.served.cluster();
        let objects: Vec<&Arc<Value>> = cluster
            .store
            .list("configmaps", None)
            .chain(cluster.store.list("deployments.apps", None))
            .collect();
        let text = serde_json::to_string(&objects).unwrap_or_default();
        Ok(Played {
            writes,
            calls: self.memory.mishaps.calls(),
            seconds: self.memory.clock.steady().as_second(),
            trace: moorline::model::digest::Digest::of(text.as_bytes()).short(),
        })
    }

    fn check_records(&self) -> Result<(), String> {
        let mut operations = self.memory.state.operations();
        operations.sort();
        match operations.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{} is recorded twice", pair[0])),
            None => Ok(()),
        }
    }

    fn check_notes(&self) -> Result<(), String> {
        let gone = |path: &&String| look(&self.served, path).is_none();
        if let Some(path) = locked(&self.book).strangers.iter().find(gone) {
            return Err(format!("{path}, a stranger's, is gone"));
        }
        for (path, noted) in &locked(&self.book).notes {
            let object = look(&self.served, path);
            let has = |field: &str| object.as_ref().is_some_and(|object| object.pointer(field).is_some());
            let kept = has("/metadata/annotations/example.com~1note") && has("/data/mine");
            if uid(&self.served, path).as_ref() == Some(noted) && !kept {
                return Err(format!("{path} lost what somebody added"));
            }
        }
        Ok(())
    }

    /// Whoever creates a namespace, it is its team's, unless there was a time without any application of the team.
    fn check_namespaces(&self) -> Result<(), String> {
        for environment in ["dev", "prod"] {
            let namespace = look(&self.served, &format!("/api/v1/namespaces/blue-{environment}"));
            let team = namespace.as_ref().map(|object| &object["metadata"]["labels"]["moorline.dev/team"]);
            let teamless = locked(&self.book).commits.iter().any(|commit| {
                let members = commit.config.members.iter().filter(|(stage, _)| *stage == environment);
                members.clone().count() > 0 && members.clone().all(|(_, service)| *service == CHARTED)
            });
            if let Some(other) = team.filter(|team| *team != "blue" && !teamless) {
                return Err(format!("the namespace blue-{environment} is labelled {other}"));
            }
        }
        Ok(())
    }

    /// What is not as it should be; nothing if all is.
    fn unsettled(&self) -> Option<String> {
        let board = self.daemon.as_ref()?.board.borrow().clone();
        // The last commit or the one that was forced back to.
        let head = self.memory.repositories.head(&url(), "main");
        let empty = head.is_some_and(|tree| tree.get("moorline.yaml").is_none());
        for application in &board.applications {
            // Everything can be reached again and nobody else is at work: that is to be noticed.
            if let Some(hold) = application.holds.iter().find(|hold| PASSING.contains(&hold.reason)) {
                return Some(format!(
                    "{}/{} is still held: {}",
                    application.environment, application.service, hold.reason
                ));
            }
            let held = application.holds.iter().any(|hold| !hold.message.is_empty());
            let well = application.sync == SyncStatus::Synced || application.never_promoted;
            if !well && !held && application.suspended.is_none() && !empty {
                return Some(format!(
                    "{}/{} is {} without a reason",
                    application.environment,
                    application.service,
                    application.sync.as_str()
                ));
            }
        }
        if empty {
            return None;
        }
        self.config
            .members
            .iter()
            .find_map(|(environment, service)| self.unsettled_member(&board, environment, service))
    }

    fn unsettled_member(&self, board: &Board, environment: &str, service: &str) -> Option<String> {
        let wanted = self.wanted(environment, service);
        let status =
            board.applications.iter().find(|one| one.environment == environment && one.service == service);
        let Some(status) = status else { return Some(format!("{environment}/{service} is not shown")) };
        let held = !status.holds.is_empty();
        // A set that somebody deleted in the middle of its rollout is nowhere: that is said, and no more can be.
        let nowhere = status.holds.iter().any(|hold| hold.reason == "SetMissing");
        let map = look(&self.served, &Self::path(environment, service, "configmaps"));
        let value = map
            .as_ref()
            .and_then(|map| map.pointer("/data/value"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let head = head(&self.served, environment, service);
        let deployed = head.as_ref().and_then(|head| head.deployed.as_ref());
        let deployed = deployed.and_then(|version| locked(&self.book).value_at(version, service));
        let Some(wanted) = wanted else {
            // Never promoted, or no longer: what is deployed stays, and what a first rollout left when its pin went.
            let left = deployed.is_some_and(|deployed| value != Some(deployed.to_string()));
            return (left && !nowhere).then(|| format!("{environment}/{service} has {value:?} and no pin"));
        };
        if wanted.quality == Quality::Good && !held {
            (value != Some(wanted.value.to_string()))
                .then(|| format!("{environment}/{service} has {value:?} instead of {}", wanted.value))
        } else if !held {
            Some(format!("{environment}/{service} is bad and not held"))
        } else if let Some(deployed) = deployed {
            let holds: Vec<&str> = status.holds.iter().map(|hold| hold.reason).collect();
            (value != Some(deployed.to_string()) && !nowhere)
                .then(|| format!("{environment}/{service} has {value:?} instead of the deployed {deployed} (held: {holds:?})"))
        } else {
            None
        }
    }
}
