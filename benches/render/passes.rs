//! Whole passes over the test doubles: everything but the network and Git. The work of the API server, which is the
//! sandbox, is in the figures.

use std::sync::Arc;
use std::time::Duration;

use moorline::model::source::{FileTree, RepositoryUrl};
use moorline::reconciler::{Options, Outcome, RunMode, run};
use moorline_doubles::MemoryWorld;

use crate::{median, milliseconds, timed};

const SIZES: [usize; 3] = [10, 100, 1000];

/// Six objects of one application.
pub(crate) fn objects(name: &str, colour: &str) -> String {
    [
        format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}}}\n"),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: Opaque\ndata: {{password: aHVudGVyMg==}}\n"),
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  colour: {colour}\n  settings: |\n    listen = 8080\n    workers = 4\n"),
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}-more}}\ndata: {{log: info}}\n"),
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  selector: {{app: {name}}}\n  ports: [{{name: http, port: 80, targetPort: 8080, protocol: TCP}}]\n"),
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n        - name: main\n          image: example.com/main:1\n          ports: [{{name: http, containerPort: 8080, protocol: TCP}}]\n          env: [{{name: MODE, value: production}}]\n"),
    ]
    .join("---\n")
}

/// The config repository of every world here.
pub(crate) fn config() -> RepositoryUrl {
    "/srv/config".parse().unwrap()
}

fn world(applications: usize) -> MemoryWorld {
    let mut files = vec![(
        "moorline.yaml".to_owned(),
        "version: 1\nname: bench\nenvironments: {e0: {}, e1: {}, e2: {}, e3: {}}\n".to_owned(),
    )];
    for number in 0..applications {
        let name = format!("app-{number:04}");
        files.push((
            format!("services/{name}.yaml"),
            format!("team: blue\nmanifests: {{path: k8s/{name}}}\n"),
        ));
        files.push((format!("environments/e{}/{name}.yaml", number % 4), String::new()));
        files.push((format!("k8s/{name}/all.yaml"), objects(&name, "green")));
    }
    let world = MemoryWorld::default();
    world.repositories.commit(&config(), "main", FileTree::from_contents(files));
    world
}

/// How the daemon is started over the test doubles.
pub(crate) fn options() -> Options {
    Options {
        config: config(),
        config_branch: None,
        own_namespace: "moorline".parse().unwrap(),
        environments: Vec::new(),
        poll: Duration::from_mins(1),
        dry_run: false,
        revision: None,
        random: false,
        as_helm: false,
        leader_election: true,
    }
}

async fn once(world: &MemoryWorld) -> Outcome {
    let (board, _keep) = tokio::sync::watch::channel(Arc::default());
    run(world.world(), options(), RunMode::Once, board, std::future::pending()).await
}

/// A first pass and a second one over a world of so many applications.
fn passes(applications: usize) -> (Duration, Duration) {
    // Time is paused: what would wait does not, and only work is measured. One runtime, so that the clock goes on.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let world = runtime.block_on(async { world(applications) });
    let (cold, outcome) = timed(|| runtime.block_on(once(&world)));
    assert_eq!(outcome.board.applications.len(), applications);
    assert!(!outcome.needs_attention(), "{:?}", outcome.failures);
    let (quiet, outcome) = timed(|| runtime.block_on(once(&world)));
    assert_eq!(outcome.writes, 0);
    (cold, quiet)
}

pub(crate) fn measure() {
    println!("== whole passes over the test doubles, 6 objects per application, one thread; medians of 3");
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for applications in SIZES {
        let (mut cold, mut quiet) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (first, second) = passes(applications);
            cold.push(first);
            quiet.push(second);
        }
        let (cold, quiet) = (milliseconds(median(cold)), milliseconds(median(quiet)));
        let each = |time: f64| time / applications as f64;
        println!(
            "{applications:5} applications: first pass {cold:.1} ms ({:.3} each), second pass {quiet:.1} ms ({:.3} each)",
            each(cold),
            each(quiet)
        );
        firsts.push((applications as f64, cold));
        seconds.push((applications as f64, quiet));
    }
    println!(
        "growth exponent 10 → 1,000: first pass {:.2}, second pass {:.2}",
        exponent(&firsts),
        exponent(&seconds)
    );
    println!(
        "growth exponent 100 → 1,000: first pass {:.2}, second pass {:.2}",
        exponent(&firsts[1..]),
        exponent(&seconds[1..])
    );
}

/// The slope of the logarithms.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let points: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    covariance / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
