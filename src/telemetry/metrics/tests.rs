//! What a scrape shows, and that docs/metrics.md tells of the same metrics.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::drift::SyncStatus;
use crate::model::health::HealthStatus;
use crate::model::hold::HoldClass;
use crate::report::hold::HoldStatus;
use crate::report::status::ApplicationStatus;

fn application(
    service: &str,
    sync: SyncStatus,
    health: HealthStatus,
    reasons: &[&'static str],
) -> ApplicationStatus {
    let hold = |reason: &&'static str| HoldStatus {
        reason,
        class: HoldClass::Fault,
        message: "words of somebody else\"} 1\n".to_owned(),
        since: Some("2026-01-02T03:04:05Z".parse().unwrap()),
    };
    ApplicationStatus {
        environment: "dev".to_owned(),
        service: service.to_owned(),
        namespace: "shop-dev".to_owned(),
        wanted: None,
        deployed: None,
        previous: None,
        blocked: None,
        sync,
        health,
        holds: reasons.iter().map(hold).collect(),
        resources: Vec::new(),
        suspended: None,
        awaiting: None,
        never_promoted: false,
        notices: Vec::new(),
    }
}

fn board(applications: Vec<ApplicationStatus>) -> Board {
    Board {
        instance: "shop".to_owned(),
        config: Some("c0ffee".to_owned()),
        environments: vec!["dev".to_owned()],
        applications,
        ready: true,
        time: None,
    }
}

fn everything_used() -> Metrics {
    let metrics = Metrics::new().unwrap();
    let environment: EnvironmentName = "dev".parse().unwrap();
    metrics.reconciled(Duration::from_millis(3));
    metrics.rendered(&environment);
    metrics.rolled_out(&environment, RecordOutcome::Deployed);
    metrics.healed(&environment, 2);
    metrics.asked_api(ApiVerb::Apply, ApiResult::of_status(409));
    metrics.asked_git(GitOperation::Fetch, RequestResult::Ok);
    metrics.set_objects(12);
    metrics.task_restarted("watch");
    metrics.show(&board(vec![application(
        "web",
        SyncStatus::Synced,
        HealthStatus::Healthy,
        &["PruneGuard"],
    )]));
    metrics
}

#[test]
fn a_scrape_reads_as_expected() {
    let text = everything_used().text().unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_bucket{"))
        .filter(|line| !line.contains("_sum"))
        .collect();
    expect_test::expect![[r#"
        moorline_api_requests_total{result="conflict",verb="apply"} 1
        moorline_application_info{environment="dev",health="Healthy",service="web",sync="Synced"} 1
        moorline_build_info{version="0.1.0"} 1
        moorline_config_info{commit="c0ffee"} 1
        moorline_git_requests_total{operation="fetch",result="ok"} 1
        moorline_heals_total{environment="dev"} 2
        moorline_holds{class="fault",reason="PruneGuard"} 1
        moorline_objects 12
        moorline_reconcile_duration_seconds_count 1
        moorline_records_waiting 0
        moorline_renders_total{environment="dev"} 1
        moorline_rollouts_total{environment="dev",outcome="deployed"} 1
        moorline_task_restarts_total{task="watch"} 1
        moorline_watches 0"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_gone_from_the_board_is_gone_from_the_scrape() {
    let metrics = Metrics::new().unwrap();
    let before = application("web", SyncStatus::OutOfSync, HealthStatus::Degraded, &["Blocked", "Blocked"]);
    let text = metrics.text_of(&board(vec![before])).unwrap();
    assert!(text.contains("moorline_holds{class=\"fault\",reason=\"Blocked\"} 2"), "{text}");
    let after = application("web", SyncStatus::Synced, HealthStatus::Healthy, &[]);
    let text = metrics.text_of(&board(vec![after])).unwrap();
    assert_eq!(text.matches("moorline_application_info{").count(), 1);
    assert!(!text.contains("moorline_holds{") && !text.contains("words of somebody"), "{text}");
}

#[test]
fn every_status_has_a_word() {
    for (status, result) in [
        (200, ApiResult::Ok),
        (201, ApiResult::Ok),
        (403, ApiResult::Forbidden),
        (404, ApiResult::NotFound),
        (409, ApiResult::Conflict),
        (422, ApiResult::Invalid),
        (429, ApiResult::Throttled),
        (503, ApiResult::ServerError),
        (0, ApiResult::ServerError),
    ] {
        assert_eq!(ApiResult::of_status(status), result, "{status}");
    }
}

/// The rows of the tables of docs/metrics.md: name → (type, labels).
fn documented(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `moorline_")?.split('|').map(str::trim).collect();
        let name = format!("moorline_{}", cells.first()?.trim_matches('`'));
        // Rows of the table of counterparts have other programs' metrics there.
        cells.get(1).filter(|kind| matches!(**kind, "gauge" | "counter" | "histogram"))?;
        let labels = cells.get(2)?.split(',').map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !matches!(*label, "" | "–")).map(str::to_owned);
        Some((name, ((*cells.get(1)?).to_owned(), labels.collect())))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn the_documentation_and_the_registry_agree() {
    let families = everything_used().registry.gather();
    let registered: BTreeMap<String, (String, BTreeSet<String>)> = families
        .iter()
        .map(|family| {
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            let labels = family.get_metric().iter().flat_map(prometheus::proto::Metric::get_label);
            let labels = labels.map(|label| label.name().to_owned()).collect();
            (family.name().to_owned(), (kind, labels))
        })
        .collect();
    let text = include_str!("../../../docs/metrics.md");
    assert_eq!(documented(text), registered);
    for row in text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().unwrap_or("");
        assert!(registered.contains_key(name), "docs/metrics.md compares {name}, which does not exist");
    }
    for word in ApiVerb::ALL
        .iter()
        .map(|verb| verb.as_str())
        .chain(ApiResult::ALL.iter().map(|result| result.as_str()))
        .chain(GitOperation::ALL.iter().map(|operation| operation.as_str()))
        .chain(RequestResult::ALL.iter().map(|result| result.as_str()))
    {
        assert!(text.contains(&format!("`{word}`")), "docs/metrics.md does not name the label value {word}");
    }
}
