//! Whoever is slow, silent or broken concerns only those who need him (RULES §13): two clusters, a config and a code
//! repository, a chart repository, any of which may take connections and never answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use moorline::adapters::World;
use moorline::adapters::charts::{ChartSourceError, Charts, Versions};
use moorline::adapters::cluster::{
    Applied, ApplyOptions, ClusterError, ClusterIdentity, ClusterRead, ClusterWrite, Clusters, WatchEvent,
};
use moorline::adapters::kube::OneKubeCluster;
use moorline::adapters::sources::{SourceError, Sources};
use moorline::model::chart::{ChartAddress, ChartArchive};
use moorline::model::drift::SyncStatus;
use moorline::model::health::HealthStatus;
use moorline::model::history::{Mainline, MainlineQuestion};
use moorline::model::kinds::KindTable;
use moorline::model::resource::{ApiVersion, GroupKind, ResourceId};
use moorline::model::source::{CommitSha, FileTree, References, RepositoryPath, RepositoryUrl};
use moorline::reconciler::{RunMode, run};
use moorline::report::status::{ApplicationStatus, Board};
use moorline::sandbox::front::{Served, answer, control};
use moorline::sandbox::request::{Method, Request};
use moorline_doubles::{MemoryCharts, MemoryRepositories, MemoryWorld, sandbox};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::support::{config_map, config_url, deployment, options};

/// Something that can be frozen: calls wait until it thaws.
#[derive(Clone)]
struct Frost(watch::Sender<bool>);

impl Frost {
    fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    fn freeze(&self, frozen: bool) {
        self.0.send_replace(frozen);
    }

    async fn thaw(&self) {
        let _ = self.0.subscribe().wait_for(|frozen| !frozen).await;
    }
}

/// Repositories of which those of one host can be frozen.
struct FrozenSources(Arc<MemoryRepositories>, Frost, Arc<AtomicBool>);

impl FrozenSources {
    async fn wait(&self, repository: &RepositoryUrl) {
        if repository.as_str().contains("frozen") {
            assert!(!self.2.load(Ordering::SeqCst), "a fault of ours");
            self.1.thaw().await;
        }
    }
}

#[async_trait]
impl Sources for FrozenSources {
    async fn references(&self, repository: &RepositoryUrl) -> Result<References, SourceError> {
        self.wait(repository).await;
        self.0.references(repository).await
    }

    async fn tree(
        &self,
        repository: &RepositoryUrl,
        reference: Option<&str>,
        commit: CommitSha,
        path: &RepositoryPath,
        previous: Option<&FileTree>,
    ) -> Result<FileTree, SourceError> {
        self.wait(repository).await;
        self.0.tree(repository, reference, commit, path, previous).await
    }

    async fn mainline(
        &self,
        repository: &RepositoryUrl,
        question: &MainlineQuestion,
    ) -> Result<Mainline, SourceError> {
        self.wait(repository).await;
        self.0.mainline(repository, question).await
    }
}

/// A chart repository that can be frozen.
struct FrozenCharts(Arc<MemoryCharts>, Frost);

#[async_trait]
impl Charts for FrozenCharts {
    async fn versions(&self, chart: &ChartAddress) -> Result<Versions, ChartSourceError> {
        self.1.thaw().await;
        self.0.versions(chart).await
    }

    async fn archive(&self, chart: &ChartAddress, version: &str) -> Result<ChartArchive, ChartSourceError> {
        self.1.thaw().await;
        self.0.archive(chart, version).await
    }

    async fn kept(&self, chart: &ChartAddress, version: &str) -> Option<ChartArchive> {
        self.0.kept(chart, version).await
    }
}

/// Sandbox clusters by context.
struct ByContext(BTreeMap<Option<String>, OneKubeCluster>, Arc<AtomicBool>);

#[async_trait]
impl Clusters for ByContext {
    async fn connect(&self, context: Option<&str>) -> Result<Arc<dyn ClusterWrite>, ClusterError> {
        match self.0.get(&context.map(str::to_owned)) {
            Some(cluster) => Ok(Arc::new(Faulty(cluster.connect(None).await?, self.1.clone()))),
            None => Err(ClusterError::Unconfigured { message: format!("no context {context:?}") }),
        }
    }
}

/// A connection in which each apply of one object is a fault of moorline.
struct Faulty(Arc<dyn ClusterWrite>, Arc<AtomicBool>);

#[async_trait]
impl ClusterRead for Faulty {
    async fn probe(&self) -> Result<(), ClusterError> {
        self.0.probe().await
    }

    async fn identity(&self) -> Result<ClusterIdentity, ClusterError> {
        self.0.identity().await
    }

    async fn kinds(&self, refresh: bool) -> Result<Arc<KindTable>, ClusterError> {
        self.0.kinds(refresh).await
    }

    async fn get(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
    ) -> Result<Option<Value>, ClusterError> {
        self.0.get(id, version).await
    }

    async fn list(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        self.0.list(kind, version, namespace, selector).await
    }

    fn watch(
        &self,
        kind: &GroupKind,
        version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: &str,
    ) -> BoxStream<'static, WatchEvent> {
        self.0.watch(kind, version, namespace, selector)
    }

    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: u32,
    ) -> Result<String, ClusterError> {
        self.0.logs(namespace, pod, container, previous, lines).await
    }
}

#[async_trait]
impl ClusterWrite for Faulty {
    async fn apply(&self, object: &Value, options: ApplyOptions) -> Result<Applied, ClusterError> {
        let broken = object["metadata"]["name"] == "api" && self.1.load(Ordering::SeqCst);
        assert!(!broken, "a fault of ours");
        self.0.apply(object, options).await
    }

    async fn patch(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        patch: &Value,
    ) -> Result<Value, ClusterError> {
        self.0.patch(id, version, patch).await
    }

    async fn put(&self, object: &Value) -> Result<Value, ClusterError> {
        self.0.put(object).await
    }

    async fn delete(
        &self,
        id: &ResourceId,
        version: Option<&ApiVersion>,
        uid: &str,
    ) -> Result<bool, ClusterError> {
        self.0.delete(id, version, uid).await
    }
}

/// A sandbox with its frost.
struct Place {
    served: Served,
    frost: Frost,
}

impl Place {
    fn new(memory: &MemoryWorld, seed: u64) -> Self {
        let served = sandbox::served(seed, &memory.clock);
        let working = served.clone();
        tokio::spawn(async move { control(&working).await });
        Self { served, frost: Frost::new() }
    }

    /// A client whose requests and watches stop while it is frozen.
    fn client(&self, memory: &MemoryWorld) -> OneKubeCluster {
        let (served, frost) = (self.served.clone(), self.frost.clone());
        let thawed = move |request| {
            let (served, frost) = (served.clone(), frost.clone());
            async move {
                frost.thaw().await;
                answer(served, request).await
            }
        };
        sandbox::client(thawed, &memory.metrics)
    }

    fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.served.cluster().store.get(plural, namespace, name).map(|object| (**object).clone())
    }

    fn value(&self, namespace: &str, name: &str) -> String {
        let object = self.object("configmaps", namespace, name).unwrap_or_default();
        object.pointer("/data/value").and_then(Value::as_str).unwrap_or("none").to_owned()
    }

    /// A person edits a ConfigMap behind the frost.
    fn edit(&self, namespace: &str, name: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}?fieldManager=kubectl-edit");
        // The same value again and again would be a contest.
        let patch = json!({"data": {"value": format!("edited at {:?}", Instant::now())}});
        let request = Request::new(Method::Patch, &path).with("application/merge-patch+json", patch);
        drop(sandbox::by_hand(&self.served, &request));
    }

    /// How long a heal takes.
    async fn heal(&self, namespace: &str, name: &str, value: &str) -> Duration {
        let before = Instant::now();
        self.edit(namespace, name);
        within(60, || self.value(namespace, name) == value).await;
        before.elapsed()
    }
}

/// Waits for a condition for at most so many seconds of the test's time.
async fn within(seconds: u64, what: impl Fn() -> bool) {
    for _ in 0..seconds * 100 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within {seconds} s");
}

/// A shop in two clusters: `dev` in the default one, `far` in another; `coded` has its code on a host that can freeze,
/// `charted` its chart in a repository that can.
struct Shop {
    memory: MemoryWorld,
    near: Place,
    far: Place,
    git: Frost,
    charts: Frost,
    /// Whether work on `api` and on the code of `coded` breaks off.
    faulty: Arc<AtomicBool>,
    files: std::sync::Mutex<BTreeMap<String, String>>,
}

fn code_url() -> RepositoryUrl {
    "https://frozen.example.com/coded.git".parse().unwrap()
}

impl Shop {
    fn new() -> Self {
        let memory = MemoryWorld::default();
        let (near, far) = (Place::new(&memory, 1), Place::new(&memory, 2));
        let shop = Self {
            near,
            far,
            git: Frost::new(),
            faulty: Arc::default(),
            charts: Frost::new(),
            files: std::sync::Mutex::default(),
            memory,
        };
        shop.write(
            "moorline.yaml",
            "version: 1\nname: shop\nenvironments: {dev: {branch: main}, far: {cluster: far}}\n",
        );
        for service in ["web", "api"] {
            shop.write(
                &format!("services/{service}.yaml"),
                &format!("team: blue\nmanifests: {{path: k8s/{service}}}\n"),
            );
            shop.write(&format!("k8s/{service}/deployment.yaml"), &deployment(service, "shop/web:1"));
            shop.write(&format!("k8s/{service}/config.yaml"), &config_map(service, "1"));
        }
        for path in ["dev/web", "dev/api", "dev/coded", "dev/charted", "far/web"] {
            shop.write(&format!("environments/{path}.yaml"), "");
        }
        let code = format!("team: blue\ncode: {{repository: \"{}\"}}\nchart: {{path: chart}}\n", code_url());
        shop.write("services/coded.yaml", &code);
        let chart = "chart: {repository: \"https://charts.example.com\", name: charted, version: 1.0.0}\n";
        shop.write("services/charted.yaml", &format!("team: blue\n{chart}"));
        shop.commit();
        let files = |value: &str| {
            let file = config_map("{{ .Chart.Name }}", value);
            BTreeMap::from([
                ("Chart.yaml".to_owned(), "apiVersion: v2\nname: coded\nversion: 1.0.0\n".to_owned()),
                ("templates/map.yaml".to_owned(), file),
            ])
        };
        let coded = files("1").into_iter().map(|(path, text)| (format!("chart/{path}"), text));
        let coded: BTreeMap<String, String> = coded.collect();
        shop.memory.repositories.commit(&code_url(), "main", FileTree::from_contents(coded.iter()));
        let mut charted = files("1");
        charted.insert("Chart.yaml".to_owned(), "apiVersion: v2\nname: charted\nversion: 1.0.0\n".to_owned());
        let address = ChartAddress {
            repository: "https://charts.example.com".parse().unwrap(),
            name: "charted".parse().unwrap(),
        };
        let files: Vec<(String, String)> = charted.into_iter().collect();
        let archive = moorline_doubles::packaged(
            "charted",
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())),
        );
        shop.memory.charts.offer(&address, "1.0.0", &archive.unwrap());
        shop
    }

    fn write(&self, path: &str, text: &str) {
        self.files.lock().unwrap().insert(path.to_owned(), text.to_owned());
    }

    fn commit(&self) {
        let tree = FileTree::from_contents(self.files.lock().unwrap().iter());
        self.memory.repositories.commit(&config_url(), "main", tree);
    }

    fn world(&self) -> World {
        let clusters = BTreeMap::from([
            (None, self.near.client(&self.memory)),
            (Some("far".to_owned()), self.far.client(&self.memory)),
        ]);
        World {
            clusters: Arc::new(ByContext(clusters, self.faulty.clone())),
            sources: Arc::new(FrozenSources(
                self.memory.repositories.clone(),
                self.git.clone(),
                self.faulty.clone(),
            )),
            charts: Arc::new(FrozenCharts(self.memory.charts.clone(), self.charts.clone())),
            ..self.memory.world()
        }
    }

    async fn daemon<F: Future<Output = ()>>(&self, until: impl FnOnce(watch::Receiver<Arc<Board>>) -> F) {
        let (sender, receiver) = watch::channel(Arc::default());
        run(self.world(), options(), RunMode::Forever, sender, until(receiver)).await;
    }
}

fn one<'b>(board: &'b Board, environment: &str, service: &str) -> Option<&'b ApplicationStatus> {
    board.applications.iter().find(|one| one.environment == environment && one.service == service)
}

fn is_green(board: &Board, names: &[(&str, &str)]) -> bool {
    names.iter().all(|(environment, service)| {
        one(board, environment, service).is_some_and(|one| {
            one.sync == SyncStatus::Synced && one.health == HealthStatus::Healthy && one.holds.is_empty()
        })
    })
}

fn is_held(board: &Board, environment: &str, service: &str, reason: &str) -> bool {
    one(board, environment, service).is_some_and(|one| one.holds.iter().any(|hold| hold.reason == reason))
}

const NEAR: [(&str, &str); 2] = [("dev", "web"), ("dev", "api")];
const ALL: [(&str, &str); 5] =
    [("dev", "web"), ("dev", "api"), ("dev", "coded"), ("dev", "charted"), ("far", "web")];

#[tokio::test(start_paused = true)]
async fn a_cluster_that_falls_silent_is_named_and_concerns_nobody_else() {
    let shop = Shop::new();
    shop.daemon(async |board| {
        within(120, || is_green(&board.borrow(), &ALL)).await;
        shop.far.frost.freeze(true);
        // An edit there is in hand when it falls silent.
        shop.far.edit("blue-far", "web");
        for _ in 0..20 {
            let took = shop.near.heal("blue-dev", "web", "1").await;
            assert!(took < Duration::from_millis(200), "{took:?}");
        }
        within(15, || {
            let board = board.borrow();
            let far = one(&board, "far", "web").unwrap();
            is_held(&board, "far", "web", "ApiUnavailable")
                && (far.sync, far.health) == (SyncStatus::Unknown, HealthStatus::Unknown)
        })
        .await;
        shop.write("k8s/web/config.yaml", &config_map("web", "2"));
        shop.commit();
        within(7, || shop.near.value("blue-dev", "web") == "2").await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        let took = shop.near.heal("blue-dev", "web", "2").await;
        assert!(took < Duration::from_millis(200), "{took:?}");
        shop.far.frost.freeze(false);
        within(10, || shop.far.value("blue-far", "web") == "2" && is_green(&board.borrow(), &ALL)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_silent_from_the_start_concerns_nobody_else() {
    let shop = Shop::new();
    shop.far.frost.freeze(true);
    shop.git.freeze(true);
    shop.charts.freeze(true);
    shop.daemon(async |board| {
        within(15, || is_green(&board.borrow(), &NEAR)).await;
        within(15, || {
            let board = board.borrow();
            is_held(&board, "far", "web", "ApiUnavailable")
                && is_held(&board, "dev", "coded", "SourceUnavailable")
                && is_held(&board, "dev", "charted", "ChartUnavailable")
        })
        .await;
        let took = shop.near.heal("blue-dev", "api", "1").await;
        assert!(took < Duration::from_millis(200), "{took:?}");
        tokio::time::sleep(Duration::from_mins(10)).await;
        shop.git.freeze(false);
        shop.charts.freeze(false);
        shop.far.frost.freeze(false);
        within(10, || is_green(&board.borrow(), &ALL)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_git_host_that_falls_silent_holds_only_who_reads_it() {
    let shop = Shop::new();
    shop.daemon(async |board| {
        within(120, || is_green(&board.borrow(), &ALL)).await;
        shop.git.freeze(true);
        within(20, || is_held(&board.borrow(), "dev", "coded", "SourceUnavailable")).await;
        shop.write("k8s/api/config.yaml", &config_map("api", "2"));
        shop.commit();
        within(7, || shop.near.value("blue-dev", "api") == "2").await;
        let took = shop.near.heal("blue-dev", "coded", "1").await;
        assert!(took < Duration::from_millis(200), "what is deployed is healed: {took:?}");
        assert!(is_green(&board.borrow(), &NEAR));
        shop.git.freeze(false);
        within(10, || is_green(&board.borrow(), &ALL)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_daemon_watches_and_takes_over() {
    let shop = Shop::new();
    shop.daemon(async |first| {
        within(120, || is_green(&first.borrow(), &ALL)).await;
        shop.daemon(async |second| {
            within(30, || is_green(&second.borrow(), &ALL)).await;
            let took = shop.near.heal("blue-dev", "web", "1").await;
            assert!(took < Duration::from_millis(200), "{took:?}");
            let lease = shop.near.object("leases.coordination.k8s.io", "moorline", "shop").unwrap();
            assert_eq!(lease["spec"]["leaseTransitions"], 0, "the second one does not take it");
        })
        .await;
    })
    .await;
    // Let go of at the end, it is had at once.
    let before = Instant::now();
    shop.daemon(async |third| {
        within(30, || is_green(&third.borrow(), &ALL)).await;
        shop.write("k8s/web/config.yaml", &config_map("web", "3"));
        shop.commit();
        within(10, || shop.near.value("blue-dev", "web") == "3").await;
    })
    .await;
    assert!(before.elapsed() < Duration::from_secs(14), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_breaks_off_in_one_application_is_a_hold_of_that_one() {
    let shop = Shop::new();
    shop.daemon(async |board| {
        within(120, || is_green(&board.borrow(), &ALL)).await;
        shop.faulty.store(true, Ordering::SeqCst);
        shop.write("k8s/api/config.yaml", &config_map("api", "2"));
        shop.write("k8s/web/config.yaml", &config_map("web", "2"));
        shop.commit();
        within(7, || shop.near.value("blue-dev", "web") == "2").await;
        within(20, || {
            let board = board.borrow();
            is_held(&board, "dev", "api", "Bug") && is_held(&board, "dev", "coded", "SourceUnavailable")
        })
        .await;
        let words = one(&board.borrow(), "dev", "api").unwrap().holds[0].message.clone();
        assert!(words.contains("silence.rs:") && words.contains("a fault of ours"), "{words}");
        let took = shop.near.heal("blue-dev", "web", "2").await;
        assert!(took < Duration::from_millis(200), "{took:?}");
        shop.faulty.store(false, Ordering::SeqCst);
        // What it wants changes: it is tried again.
        shop.write("k8s/api/config.yaml", &config_map("api", "3"));
        shop.commit();
        within(12, || shop.near.value("blue-dev", "api") == "3").await;
        within(60, || is_green(&board.borrow(), &ALL)).await;
    })
    .await;
}
