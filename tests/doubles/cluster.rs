//! The only cluster of a world: a sandbox whose writes are written down, which can refuse what a real one refuses, and
//! in which other people are at work.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use moorline::adapters::cluster::{ClusterError, ClusterWrite, Clusters};
use moorline::adapters::kube::OneKubeCluster;
use moorline::model::resource::{GroupKind, ResourceId};
use moorline::sandbox::catalog::{Catalog, Resource};
use moorline::sandbox::faults::{Fault, FaultRule};
use moorline::sandbox::front::{Answer, Reset, Served, control};
use moorline::sandbox::request::{Body, Method, Request, Response};
use moorline::telemetry::Metrics;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use crate::sandbox::{self, Asked, Write, by_hand, client, converse};
use crate::{MemoryClock, Mishaps};

/// What a daemon wrote, oldest first.
#[derive(Default)]
struct Log {
    writes: Vec<String>,
    deletes: Vec<ResourceId>,
}

/// What a daemon meets until it is taken back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Away,
    ListsFail,
    RolesOnly,
    NoSecrets,
}

impl Trouble {
    /// What the sandbox is to refuse.
    fn rules(self, catalog: &Catalog) -> Vec<FaultRule> {
        let rule =
            |fault: Fault, verb: &str| FaultRule { verb: Some(verb.to_owned()), ..FaultRule::new(fault) };
        match self {
            // Refused before the sandbox hears of it.
            Self::Away => Vec::new(),
            Self::ListsFail => ["list", "watch"].map(|verb| rule(Fault::ServerError, verb)).into(),
            Self::NoSecrets => ["get", "list", "watch"]
                .map(|verb| FaultRule {
                    resource: Some("secrets".to_owned()),
                    ..rule(Fault::Forbidden, verb)
                })
                .into(),
            Self::RolesOnly => {
                let namespaced = catalog.collections().filter(|resource| resource.kind.namespaced);
                let rules = namespaced.flat_map(|resource| {
                    ["list", "watch"].map(|verb| FaultRule {
                        resource: Some(resource.named.to_string()),
                        // No namespace is all of them.
                        namespace: Some(String::new()),
                        ..rule(Fault::Forbidden, verb)
                    })
                });
                rules.collect()
            }
        }
    }
}

/// The cluster.
pub struct SandboxCluster {
    served: Served,
    mishaps: Arc<Mishaps>,
    metrics: Arc<Metrics>,
    log: Mutex<Log>,
    troubles: Mutex<BTreeSet<Trouble>>,
    controllers: Mutex<Option<JoinHandle<()>>>,
}

/// The connection of one daemon: to the context that is not named, and to none other.
pub(crate) struct Connection {
    cluster: Arc<SandboxCluster>,
    client: OnceCell<OneKubeCluster>,
}

#[async_trait]
impl Clusters for Connection {
    async fn connect(&self, context: Option<&str>) -> Result<Arc<dyn ClusterWrite>, ClusterError> {
        self.cluster.run_controllers();
        let client = self.client.get_or_init(async || SandboxCluster::client(&self.cluster)).await;
        client.connect(context).await
    }
}

impl Drop for SandboxCluster {
    /// A runtime may hold many worlds, one after the other.
    fn drop(&mut self) {
        if let Some(controllers) = locked(&self.controllers).take() {
            controllers.abort();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a daemon does.
impl SandboxCluster {
    pub(crate) fn new(
        seed: u64,
        clock: &Arc<MemoryClock>,
        mishaps: Arc<Mishaps>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            served: sandbox::served(seed, clock),
            mishaps,
            metrics,
            log: Mutex::default(),
            troubles: Mutex::default(),
            controllers: Mutex::default(),
        }
    }

    pub(crate) fn connection(self: &Arc<Self>) -> Connection {
        Connection { cluster: self.clone(), client: OnceCell::new() }
    }

    /// Lets the controllers work in the runtime that this is called in, unless they do already.
    pub fn run_controllers(&self) {
        let mut controllers = locked(&self.controllers);
        if controllers.as_ref().is_none_or(JoinHandle::is_finished) {
            let served = self.served.clone();
            *controllers = Some(tokio::spawn(async move { control(&served).await }));
        }
    }

    fn client(cluster: &Arc<Self>) -> OneKubeCluster {
        let (cluster, metrics) = (cluster.clone(), &cluster.metrics);
        client(move |request| Self::answer(cluster.clone(), request), metrics)
    }

    async fn answer(cluster: Arc<Self>, request: Asked) -> Result<Answer, Reset> {
        if locked(&cluster.troubles).contains(&Trouble::Away) {
            return Err(Reset);
        }
        let served = cluster.served.clone();
        converse(served, &cluster.mishaps, request, |write| locked(&cluster.log).note(write)).await
    }
}

impl Log {
    fn note(&mut self, write: &Write<'_>) {
        // The lease is renewed all the time.
        let upkeep = ["/leases", "/events"].iter().any(|plural| write.path.contains(plural));
        if write.response.code >= 300 || upkeep {
            return;
        }
        let answered = match &write.response.body {
            Body::Object(object) => Some(&**object),
            _ => None,
        };
        let object = write.before.as_ref().or(write.after.as_ref()).or(answered);
        let Some(id) = object.and_then(ResourceId::of) else { return };
        let verb = match write.method {
            "PATCH" if write.media.contains("apply") => "apply",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "put",
        };
        self.writes.push(format!("{verb} {id}"));
        if verb == "delete" {
            self.deletes.push(id);
        }
    }
}

/// What a test sees, and what it makes go wrong.
impl SandboxCluster {
    /// The sandbox itself.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// An object as it is stored.
    pub fn object(&self, id: &str) -> Option<Value> {
        let id: ResourceId = id.parse().ok()?;
        let cluster = self.served.cluster();
        let resource = resource_of(cluster.store.catalog(), &id.kind)?;
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let found = cluster.store.get(&resource.collection, namespace, &id.name);
        found.map(|object| (**object).clone())
    }

    /// All objects of a kind.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        let cluster = self.served.cluster();
        let resources = cluster.store.catalog().collections().filter(|resource| resource.kind.kind == kind);
        let objects = resources.flat_map(|resource| cluster.store.list(&resource.collection, None));
        objects.map(|object| (**object).clone()).collect()
    }

    /// Every write of a daemon that was carried out, as `verb object`, oldest first.
    pub fn writes(&self) -> Vec<String> {
        locked(&self.log).writes.clone()
    }

    /// Every object that a daemon deleted, oldest first.
    pub fn deletes(&self) -> Vec<ResourceId> {
        locked(&self.log).deletes.clone()
    }

    /// Makes every call fail, or work again.
    pub fn set_available(&self, available: bool) {
        self.set(Trouble::Away, !available);
    }

    /// Makes every list fail, or work again.
    pub fn set_lists_fail(&self, fail: bool) {
        self.set(Trouble::ListsFail, fail);
    }

    /// Forbids to watch or list namespaced kinds in all of the cluster, as RBAC does to a daemon with roles alone.
    pub fn set_roles_only(&self, roles_only: bool) {
        self.set(Trouble::RolesOnly, roles_only);
    }

    /// Forbids to read Secrets, as the usual role of an onlooker does.
    pub fn set_no_secrets(&self, no_secrets: bool) {
        self.set(Trouble::NoSecrets, no_secrets);
    }

    fn set(&self, trouble: Trouble, begins: bool) {
        let mut troubles = locked(&self.troubles);
        if begins {
            troubles.insert(trouble);
        } else {
            troubles.remove(&trouble);
        }
        let store = &mut self.served.cluster().store;
        let rules: Vec<FaultRule> =
            troubles.iter().flat_map(|trouble| trouble.rules(store.catalog())).collect();
        store.faults.clear();
        rules.into_iter().for_each(|rule| store.faults.add(rule));
    }
}

/// What other people do.
impl SandboxCluster {
    /// Serves another kind from now on: its CustomResourceDefinition is installed.
    pub fn serve(&self, group: &str, version: &str, kind: &str, namespaced: bool) {
        let singular = kind.to_ascii_lowercase();
        let plural = format!("{singular}s");
        let schema = json!({"openAPIV3Schema":
            {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group, "scope": if namespaced { "Namespaced" } else { "Cluster" },
                "names": {"kind": kind, "plural": plural, "singular": singular},
                "versions": [{"name": version, "served": true, "storage": true, "schema": schema}],
            },
        });
        self.create("kubectl", definition);
    }

    /// Somebody else changes an object: the fields that differ are theirs from now on.
    ///
    /// # Panics
    ///
    /// If the object is not there, or the API server refuses the change: the test is not what it says it is.
    pub fn meddle(&self, manager: &str, id: &str, change: impl FnOnce(&mut Value)) {
        let object = self.object(id);
        assert!(object.is_some(), "{manager} finds no {id}");
        let mut object = object.unwrap_or_default();
        change(&mut object);
        let response = self.ask(Method::Put, manager, &object, true);
        assert!(response.code < 300, "{manager} may not change {id}: {response:?}");
    }

    /// Somebody else creates an object.
    ///
    /// # Panics
    ///
    /// If the API server refuses it: the test is not what it says it is.
    pub fn create(&self, manager: &str, object: Value) {
        let response = self.ask(Method::Post, manager, &object, false);
        assert!(response.code < 300, "{manager} may not create {object}: {response:?}");
    }

    /// Somebody else deletes an object, if it is there; a namespace goes with everything in it, once the controllers
    /// get to it.
    pub fn remove(&self, id: &str) {
        if let Some(object) = self.object(id) {
            self.ask(Method::Delete, "kubectl", &object, true);
        }
    }

    fn ask(&self, method: Method, manager: &str, object: &Value, named: bool) -> Response {
        let path = ResourceId::of(object).and_then(|id| {
            let cluster = self.served.cluster();
            let resource = resource_of(cluster.store.catalog(), &id.kind)?;
            let collection = path_of(resource, id.namespace.as_deref());
            Some(if named { format!("{collection}/{}", id.name) } else { collection })
        });
        let uri = format!("{}?fieldManager={manager}", path.unwrap_or_default());
        let mut request = Request::new(method, &uri);
        if method != Method::Delete {
            request = request.with("application/json", object.clone());
        }
        by_hand(&self.served, &request)
    }
}

fn resource_of<'a>(catalog: &'a Catalog, kind: &GroupKind) -> Option<&'a Arc<Resource>> {
    let found = |resource: &&Arc<Resource>| resource.is_kind(&kind.group, &kind.kind);
    catalog.collections().find(found)
}

fn path_of(resource: &Resource, namespace: Option<&str>) -> String {
    let root = if resource.kind.group.is_empty() { "api" } else { "apis" };
    let within = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
    format!("/{root}/{}{within}/{}", resource.api_version, resource.kind.plural)
}
