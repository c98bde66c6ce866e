//! A shop over the test doubles: its config repository, and runs of the reconciler on it. No assertions hidden inside.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use moorline::adapters::World;
use moorline::model::source::{FileTree, RepositoryUrl};
use moorline::reconciler::{Options, Outcome, RunMode, run};
use moorline::report::status::{ApplicationStatus, Board};
use moorline_doubles::MemoryWorld;
use serde_json::Value;
use tokio::sync::watch;

pub(crate) struct Shop {
    pub(crate) world: MemoryWorld,
    files: std::sync::Mutex<std::collections::BTreeMap<String, String>>,
}

pub(crate) fn config_url() -> RepositoryUrl {
    "/srv/config".parse().unwrap()
}

pub(crate) fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: {name}, image: \"{image}\"}}]}}\n"
    )
}

pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n")
}

/// What a daemon of these tests is told.
pub(crate) fn options() -> Options {
    Options {
        config: config_url(),
        config_branch: None,
        own_namespace: "moorline".parse().unwrap(),
        environments: Vec::new(),
        poll: Duration::from_secs(5),
        dry_run: false,
        revision: None,
        random: false,
        as_helm: false,
        leader_election: true,
    }
}

impl Shop {
    /// Services `web` and `api` in dev, `web` in prod; each a deployment and a config map.
    pub(crate) fn new() -> Self {
        let shop = Self { world: MemoryWorld::default(), files: std::sync::Mutex::default() };
        shop.write(
            "moorline.yaml",
            "version: 1\nname: shop\nenvironments: {dev: {}, prod: {}}\ndefaults: {sync: {timeout: 60s}}\n",
        );
        for service in ["web", "api"] {
            shop.write(
                &format!("services/{service}.yaml"),
                &format!("team: blue\nmanifests: {{path: k8s/{service}}}\n"),
            );
            shop.write(&format!("k8s/{service}/deployment.yaml"), &deployment(service, "shop/web:1"));
            shop.write(&format!("k8s/{service}/config.yaml"), &config_map(service, "1"));
        }
        for path in ["dev/web", "dev/api", "prod/web"] {
            shop.write(&format!("environments/{path}.yaml"), "");
        }
        shop.commit();
        shop
    }

    /// Changes a file of the config repository; `commit` makes it count.
    pub(crate) fn write(&self, path: &str, text: &str) {
        self.files.lock().unwrap().insert(path.to_owned(), text.to_owned());
    }

    pub(crate) fn remove(&self, path: &str) {
        self.files.lock().unwrap().remove(path);
    }

    pub(crate) fn commit(&self) {
        let tree = FileTree::from_contents(self.files.lock().unwrap().iter());
        self.world.repositories.commit(&config_url(), "main", tree);
    }

    #[expect(clippy::unused_self, reason = "every shop has its options")]
    pub(crate) fn options(&self) -> Options {
        options()
    }

    /// One pass until nothing moves.
    pub(crate) async fn once(&self) -> Outcome {
        self.once_in(self.world.world()).await
    }

    /// The same in a world that is not quite its own.
    pub(crate) async fn once_in(&self, world: World) -> Outcome {
        let (board, _keep) = watch::channel(Arc::default());
        run(world, self.options(), RunMode::Once, board, std::future::pending()).await
    }

    /// What `status` and `plan` do: observes and decides once, and writes nothing.
    pub(crate) async fn look(&self) -> Outcome {
        let (board, _keep) = watch::channel(Arc::default());
        let world = World { state: None, ..self.world.world() };
        let options = Options { dry_run: true, ..self.options() };
        run(world, options, RunMode::Once, board, std::future::pending()).await
    }

    /// The daemon, until `until` returns.
    pub(crate) async fn daemon<F: Future<Output = ()>>(
        &self,
        until: impl FnOnce(watch::Receiver<Arc<Board>>) -> F,
    ) -> Outcome {
        let (sender, receiver) = watch::channel(Arc::default());
        run(self.world.world(), self.options(), RunMode::Forever, sender, until(receiver)).await
    }

    pub(crate) fn object(&self, id: &str) -> Value {
        self.world.cluster.object(id).unwrap_or(Value::Null)
    }

    pub(crate) fn image(&self, environment: &str, service: &str) -> String {
        let object = self.object(&format!("apps|Deployment|blue-{environment}|{service}"));
        let image = object.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
        image.unwrap_or("none").to_owned()
    }
}

/// Waits until the board shows what is asked for, or panics after an hour of the test's time.
pub(crate) async fn shown(board: &mut watch::Receiver<Arc<Board>>, what: impl Fn(&Board) -> bool) {
    let wait = board.wait_for(|board| what(board));
    let found = tokio::time::timeout(Duration::from_hours(1), wait).await;
    assert!(found.is_ok_and(|found| found.is_ok()), "the board never showed it");
}

/// Waits until a condition on the world holds.
pub(crate) async fn eventually(what: impl Fn() -> bool) {
    for _ in 0..36_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never happened");
}

pub(crate) fn status<'a>(
    board: &'a Board,
    environment: &str,
    service: &str,
) -> Option<&'a ApplicationStatus> {
    board.applications.iter().find(|one| one.environment == environment && one.service == service)
}

pub(crate) fn holds(outcome: &Outcome, environment: &str, service: &str) -> Vec<&'static str> {
    let status = status(&outcome.board, environment, service);
    status.map(|status| status.holds.iter().map(|hold| hold.reason).collect()).unwrap_or_default()
}

pub(crate) fn all_green(board: &Board) -> bool {
    use moorline::model::drift::SyncStatus;
    use moorline::model::health::HealthStatus;
    !board.applications.is_empty()
        && board.applications.iter().all(|one| {
            one.sync == SyncStatus::Synced && one.health == HealthStatus::Healthy && one.holds.is_empty()
        })
}
