//! A cluster in memory: objects with versions, ownership and watches; deployments become ready at once, unless
//! their image says otherwise (`missing` never does).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::Mishaps;
use crate::apply::{leaves, of_fields, remove, set, shown, to_fields};
use moorline::adapters::cluster::{
    Applied, ApplyOptions, ClusterError, ClusterIdentity, ClusterRead, ClusterWrite, Clusters, WatchEvent,
};
use moorline::model::drift::FieldOwner;
use moorline::model::kinds::KindTable;
use moorline::model::resource::{ApiVersion, GroupKind, ResourceId};

/// Kinds that the cluster serves: group, version, kind, plural, namespaced.
const KINDS: &[(&str, &str, &str, &str, bool)] = &[
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", "Secret", "secrets", true),
    ("", "v1", "Service", "services", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", true),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Namespace", "namespaces", false),
    ("apps", "v1", "Deployment", "deployments", true),
    ("apps", "v1", "StatefulSet", "statefulsets", true),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", true),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
];

struct Watcher {
    kind: GroupKind,
    namespace: Option<String>,
    selector: String,
    sender: UnboundedSender<WatchEvent>,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<ResourceId, Value>,
    version: u64,
    watchers: Vec<Watcher>,
    writes: Vec<String>,
    deletes: Vec<ResourceId>,
    available: bool,
    lists_fail: bool,
    rights: Rights,
}

/// What the API server lets us read.
#[derive(Default)]
struct Rights {
    namespaces_only: bool,
    no_secrets: bool,
}

impl Inner {
    /// What a daemon hears that has roles in namespaces and no cluster role.
    fn refuses(&self, kinds: &KindTable, kind: &GroupKind, namespace: Option<&str>) -> Option<ClusterError> {
        let wide = namespace.is_none() && kinds.is_namespaced(kind) == Some(true);
        let secret = self.rights.no_secrets && kind.is("", "Secret");
        (self.rights.namespaces_only && wide || secret).then(|| ClusterError::Forbidden {
            message: format!("{} is forbidden at the cluster scope", kind.kind),
        })
    }
}

/// The cluster.
pub struct MemoryCluster {
    inner: Mutex<Inner>,
    kinds: Mutex<Arc<KindTable>>,
    mishaps: Arc<Mishaps>,
}

/// The cluster behind every context that is not named, and behind none other.
pub(super) struct OneCluster(pub(super) Arc<MemoryCluster>);

#[async_trait]
impl Clusters for OneCluster {
    async fn connect(&self, context: Option<&str>) -> Result<Arc<dyn ClusterWrite>, ClusterError> {
        match context {
            None => Ok(self.0.clone()),
            Some(context) => {
                Err(ClusterError::Unconfigured { message: format!("it has no context {context:?}") })
            }
        }
    }
}

impl MemoryCluster {
    pub(super) fn new(mishaps: Arc<Mishaps>) -> Self {
        let mut kinds = KindTable::default();
        for (group, version, kind, plural, namespaced) in KINDS {
            kinds.add(GroupKind::new(group, kind), version, plural, *namespaced, true);
        }
        let inner = Inner { available: true, ..Inner::default() };
        Self { inner: Mutex::new(inner), kinds: Mutex::new(Arc::new(kinds)), mishaps }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> Arc<KindTable> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves another kind from now on, as when its CustomResourceDefinition is installed.
    pub fn serve(&self, group: &str, version: &str, kind: &str, namespaced: bool) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let plural = format!("{}s", kind.to_ascii_lowercase());
        Arc::make_mut(&mut *kinds).add(GroupKind::new(group, kind), version, &plural, namespaced, true);
    }

    /// An object as it is stored.
    pub fn object(&self, id: &str) -> Option<Value> {
        self.lock().objects.get(&id.parse().ok()?).cloned()
    }

    /// All objects of a kind.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.lock()
            .objects
            .iter()
            .filter(|(id, _)| &*id.kind.kind == kind)
            .map(|(_, one)| one.clone())
            .collect()
    }

    /// Every write that was carried out, as `verb object`, oldest first.
    pub fn writes(&self) -> Vec<String> {
        let writes = self.lock().writes.clone();
        // The lease is renewed all the time.
        writes.into_iter().filter(|write| !write.contains(" Lease.")).collect()
    }

    /// Every object that was deleted through the API, oldest first.
    pub fn deletes(&self) -> Vec<ResourceId> {
        self.lock().deletes.clone()
    }

    /// Makes every call fail, or work again.
    pub fn set_available(&self, available: bool) {
        self.lock().available = available;
    }

    /// Makes every list fail, or work again.
    pub fn set_lists_fail(&self, fail: bool) {
        self.lock().lists_fail = fail;
    }

    /// Forbids to watch or list namespaced kinds in all of the cluster, as RBAC does to a daemon with roles alone.
    pub fn set_roles_only(&self, roles_only: bool) {
        self.lock().rights.namespaces_only = roles_only;
    }

    /// Forbids to read Secrets, as the usual role of an onlooker does.
    pub fn set_no_secrets(&self, no_secrets: bool) {
        self.lock().rights.no_secrets = no_secrets;
    }

    /// Somebody else changes an object: the fields that differ are theirs from now on.
    pub fn meddle(&self, manager: &str, id: &str, change: impl FnOnce(&mut Value)) {
        let Ok(id) = id.parse::<ResourceId>() else { return };
        let mut inner = self.lock();
        let Some(before) = inner.objects.get(&id).cloned() else { return };
        let mut after = before.clone();
        change(&mut after);
        let (old, new) = (leaves(&before), leaves(&after));
        let touched: BTreeSet<_> = new
            .iter()
            .filter(|(path, value)| old.get(*path) != Some(value))
            .map(|(path, _)| path.clone())
            .collect();
        let gone: BTreeSet<_> = old.keys().filter(|path| !new.contains_key(*path)).cloned().collect();
        let mut managers = managers(&before);
        for owned in managers.values_mut() {
            owned.retain(|path| !touched.contains(path) && !gone.contains(path));
        }
        managers.entry((manager.to_owned(), "Update".to_owned())).or_default().extend(touched);
        write_managers(&mut after, &managers);
        inner.store(id, after);
    }

    /// Somebody else creates an object.
    pub fn create(&self, manager: &str, mut object: Value) {
        let Some(id) = ResourceId::of(&object) else { return };
        let owned = BTreeMap::from([(
            (manager.to_owned(), "Update".to_owned()),
            leaves(&object).into_keys().collect(),
        )]);
        write_managers(&mut object, &owned);
        self.lock().store(id, object);
    }

    /// Somebody else deletes an object; a namespace goes with everything in it.
    pub fn remove(&self, id: &str) {
        let Ok(id) = id.parse::<ResourceId>() else { return };
        let mut inner = self.lock();
        if id.kind.is("", "Namespace") {
            let inside = |one: &&ResourceId| one.namespace.as_deref() == Some(&*id.name);
            let inside: Vec<ResourceId> = inner.objects.keys().filter(inside).cloned().collect();
            inside.iter().for_each(|one| inner.drop_object(one));
        }
        inner.drop_object(&id);
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&mut Inner) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let refused =
            || ClusterError::Unavailable { message: "connection refused".to_owned(), retry_after: None };
        let call = || {
            let mut inner = self.lock();
            if inner.available { call(&mut inner) } else { Err(refused()) }
        };
        self.mishaps.around(operation, call, refused).await
    }
}

type Managers = BTreeMap<(String, String), BTreeSet<Vec<String>>>;

fn managers(object: &Value) -> Managers {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let read = |entry: &Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        ((text("manager"), text("operation")), of_fields(&entry["fieldsV1"]))
    };
    list.into_iter().flatten().map(read).collect()
}

fn write_managers(object: &mut Value, managers: &Managers) {
    let version = object["apiVersion"].clone();
    let list: Vec<Value> = managers
        .iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|((manager, operation), paths)| {
            json!({"manager": manager, "operation": operation, "apiVersion": version, "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": to_fields(paths)})
        })
        .collect();
    object["metadata"]["managedFields"] = Value::Array(list);
}

impl Inner {
    /// Stores an object: a new version, a new generation if its spec changed, and what controllers would do.
    fn store(&mut self, id: ResourceId, mut object: Value) -> Value {
        let before = self.objects.get(&id);
        self.version += 1;
        let uid = before
            .map_or_else(|| json!(format!("uid-{}", self.version)), |one| one["metadata"]["uid"].clone());
        let same_spec = before.is_some_and(|one| one.get("spec") == object.get("spec"));
        let generation = before.and_then(|one| one["metadata"]["generation"].as_i64()).unwrap_or(0);
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object.get("spec").is_some() {
            object["metadata"]["generation"] = json!(if same_spec { generation } else { generation + 1 });
        }
        control(&id, &mut object);
        let old = self.objects.insert(id.clone(), object.clone());
        self.tell(&id, &WatchEvent::Object(Arc::new(object.clone())), &object, old.as_ref());
        object
    }

    fn drop_object(&mut self, id: &ResourceId) {
        if let Some(object) = self.objects.remove(id) {
            self.version += 1;
            self.tell(id, &WatchEvent::Gone(id.clone()), &object, None);
        }
    }

    /// Tells watchers; one whose selector no longer matches hears that the object is gone.
    fn tell(&mut self, id: &ResourceId, event: &WatchEvent, object: &Value, old: Option<&Value>) {
        self.watchers.retain(|watcher| !watcher.sender.is_closed());
        for watcher in &self.watchers {
            let here = watcher
                .namespace
                .as_deref()
                .is_none_or(|namespace| id.namespace.as_deref() == Some(namespace));
            if watcher.kind != id.kind || !here {
                continue;
            }
            if selects(&watcher.selector, object) {
                let _ = watcher.sender.send(event.clone());
            } else if old.is_some_and(|old| selects(&watcher.selector, old)) {
                let _ = watcher.sender.send(WatchEvent::Gone(id.clone()));
            }
        }
    }

    fn namespace_exists(&self, id: &ResourceId) -> Result<(), ClusterError> {
        let Some(namespace) = &id.namespace else { return Ok(()) };
        let wanted =
            ResourceId { kind: GroupKind::new("", "Namespace"), namespace: None, name: namespace.clone() };
        if self.objects.contains_key(&wanted) {
            return Ok(());
        }
        Err(ClusterError::Missing { message: format!("namespaces {namespace:?} not found") })
    }
}

/// What controllers do at once.
fn control(id: &ResourceId, object: &mut Value) {
    let workload = id.kind.is("apps", "Deployment") || id.kind.is("apps", "StatefulSet");
    if workload {
        let replicas = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        let stuck = object["spec"].to_string().contains("missing");
        let ready = if stuck { 0 } else { replicas };
        object["status"] = json!({"observedGeneration": object["metadata"]["generation"], "replicas": replicas,
            "updatedReplicas": replicas, "availableReplicas": ready, "readyReplicas": ready});
    }
    if id.kind.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        object["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
    }
}

/// Label selectors of the forms `a=b` and `!a`, joined by commas.
fn selects(selector: &str, object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    selector.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once('=') {
        Some((key, value)) => {
            labels.and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value)
        }
        None => {
            let key = part.trim_start_matches('!');
            labels.and_then(|labels| labels.get(key)).is_some() != part.starts_with('!')
        }
    })
}

fn identity(object: &Value) -> Result<ResourceId, ClusterError> {
    ResourceId::of(object).ok_or_else(|| ClusterError::Rejected { message: "no identity".to_owned() })
}

#[async_trait]
impl ClusterRead for MemoryCluster {
    async fn probe(&self) -> Result<(), ClusterError> {
        if self.lock().available {
            return Ok(());
        }
        Err(ClusterError::Unavailable { message: "connection refused".to_owned(), retry_after: None })
    }

    async fn identity(&self) -> Result<ClusterIdentity, ClusterError> {
        self.call("identity", |_| {
            Ok(ClusterIdentity { uid: "memory".to_owned(), version: "v1.37.0".to_owned() })
        })
        .await
    }

    async fn kinds(&self, _refresh: bool) -> Result<Arc<KindTable>, ClusterError> {
        let kinds = self.table();
        self.call("kinds", |_| Ok(kinds)).await
    }

    async fn get(
        &self,
        id: &ResourceId,
        _version: Option<&ApiVersion>,
    ) -> Result<Option<Value>, ClusterError> {
        self.call("get", |inner| match inner.refuses(&self.table(), &id.kind, id.namespace.as_deref()) {
            Some(error) => Err(error),
            None => Ok(inner.objects.get(id).cloned()),
        })
        .await
    }

    async fn list(
        &self,
        kind: &GroupKind,
        _version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        self.call("list", |inner| {
            if inner.lists_fail {
                return Err(ClusterError::Unavailable {
                    message: "etcd timeout".to_owned(),
                    retry_after: None,
                });
            }
            if let Some(error) = inner.refuses(&self.table(), kind, namespace) {
                return Err(error);
            }
            let here = |id: &ResourceId| {
                namespace.is_none_or(|namespace| id.namespace.as_deref() == Some(namespace))
            };
            let all = inner.objects.iter().filter(|(id, _)| id.kind == *kind && here(id));
            Ok(all.map(|(_, one)| one.clone()).filter(|one| selects(selector.unwrap_or(""), one)).collect())
        })
        .await
    }

    fn watch(
        &self,
        kind: &GroupKind,
        _version: Option<&ApiVersion>,
        namespace: Option<&str>,
        selector: &str,
    ) -> BoxStream<'static, WatchEvent> {
        let (sender, receiver) = unbounded_channel();
        let mut inner = self.lock();
        let _ = sender.send(WatchEvent::Started);
        if inner.lists_fail || !inner.available {
            let error = ClusterError::Unavailable { message: "etcd timeout".to_owned(), retry_after: None };
            let _ = sender.send(WatchEvent::Failed(error));
        } else if let Some(error) = inner.refuses(&self.table(), kind, namespace) {
            let _ = sender.send(WatchEvent::Failed(error));
        } else {
            let here = |id: &ResourceId| {
                namespace.is_none_or(|namespace| id.namespace.as_deref() == Some(namespace))
            };
            for (_, object) in inner.objects.iter().filter(|(id, _)| id.kind == *kind && here(id)) {
                if selects(selector, object) {
                    let _ = sender.send(WatchEvent::Object(Arc::new(object.clone())));
                }
            }
            let _ = sender.send(WatchEvent::Listed);
        }
        let namespace = namespace.map(str::to_owned);
        inner.watchers.push(Watcher { kind: kind.clone(), namespace, selector: selector.to_owned(), sender });
        futures::stream::unfold(
            receiver,
            |mut receiver| async move { Some((receiver.recv().await?, receiver)) },
        )
        .boxed()
    }

    async fn logs(&self, _: &str, _: &str, _: &str, _: bool, _: u32) -> Result<String, ClusterError> {
        Ok(String::new())
    }
}

#[async_trait]
impl ClusterWrite for MemoryCluster {
    async fn apply(&self, object: &Value, options: ApplyOptions) -> Result<Applied, ClusterError> {
        self.call("apply", |inner| {
            let id = identity(object)?;
            inner.namespace_exists(&id)?;
            if object.to_string().contains("invalid!") {
                return Err(ClusterError::Rejected { message: format!("{id} is invalid") });
            }
            let applied = leaves(object);
            let there = inner.objects.get(&id).cloned();
            let created = there.is_none();
            let mut stored = there.unwrap_or_else(|| {
                json!({"apiVersion": object["apiVersion"], "kind": object["kind"],
                    "metadata": {"name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"]}})
            });
            if stored["metadata"]["namespace"].is_null()
                && let Some(metadata) = stored["metadata"].as_object_mut()
            {
                metadata.shift_remove("namespace");
            }
            let mut owners = managers(&stored);
            let us = ("moorline".to_owned(), "Apply".to_owned());
            let ours = owners.remove(&us).unwrap_or_default();
            let current = leaves(&stored);
            let mut conflicts = Vec::new();
            for (path, value) in applied.iter().filter(|(path, value)| current.get(*path) != Some(value)) {
                let _ = value;
                for ((manager, _), owned) in owners.iter_mut().filter(|(_, owned)| owned.contains(path)) {
                    conflicts.push(FieldOwner { field: shown(path), manager: manager.clone() });
                    owned.remove(path);
                }
            }
            if !conflicts.is_empty() && !options.force {
                return Err(ClusterError::Conflict { message: "field managers differ".to_owned(), owners: conflicts });
            }
            for path in ours.iter().filter(|path| !applied.contains_key(*path)) {
                if !owners.values().any(|owned| owned.contains(path)) {
                    remove(&mut stored, path);
                }
            }
            for (path, value) in &applied {
                set(&mut stored, path, value);
            }
            owners.insert(us, applied.into_keys().collect());
            write_managers(&mut stored, &owners);
            if options.dry_run {
                return Ok(Applied { object: stored, created });
            }
            inner.writes.push(format!("apply {id}"));
            let same = inner.objects.get(&id).is_some_and(|before| *before == stored);
            let object = if same { stored } else { inner.store(id, stored) };
            Ok(Applied { object, created })
        })
        .await
    }

    async fn patch(
        &self,
        id: &ResourceId,
        _version: Option<&ApiVersion>,
        patch: &Value,
    ) -> Result<Value, ClusterError> {
        self.call("patch", |inner| {
            let missing = || ClusterError::Missing { message: format!("{id} not found") };
            let mut object = inner.objects.get(id).cloned().ok_or_else(missing)?;
            for operation in patch.as_array().into_iter().flatten() {
                let path = operation["path"].as_str().unwrap_or("");
                let Some((parent, key)) = path.rsplit_once('/') else { continue };
                let Some(map) = object.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
                match operation["op"].as_str() {
                    Some("remove") => {
                        map.shift_remove(key);
                    }
                    _ => {
                        map.insert(key.to_owned(), operation["value"].clone());
                    }
                }
            }
            // As the API server does: nobody owns a field that is gone. A patch of managedFields stands as it is.
            if !patch.to_string().contains("managedFields") {
                let there = leaves(&object);
                let mut owners = managers(&object);
                owners.values_mut().for_each(|owned| owned.retain(|path| there.contains_key(path)));
                write_managers(&mut object, &owners);
            }
            inner.writes.push(format!("patch {id}"));
            Ok(inner.store(id.clone(), object))
        })
        .await
    }

    async fn put(&self, object: &Value) -> Result<Value, ClusterError> {
        self.call("put", |inner| {
            let id = identity(object)?;
            inner.namespace_exists(&id)?;
            let there = inner.objects.get(&id).map(|one| one["metadata"]["resourceVersion"].clone());
            let wanted = object.pointer("/metadata/resourceVersion").cloned();
            if there != wanted {
                return Err(ClusterError::Changed { message: format!("{id} has version {there:?}") });
            }
            inner.writes.push(format!("put {id}"));
            Ok(inner.store(id, object.clone()))
        })
        .await
    }

    async fn delete(
        &self,
        id: &ResourceId,
        _version: Option<&ApiVersion>,
        uid: &str,
    ) -> Result<bool, ClusterError> {
        self.call("delete", |inner| {
            let Some(object) = inner.objects.get(id) else { return Ok(false) };
            if object["metadata"]["uid"] != uid {
                return Err(ClusterError::Changed { message: format!("{id} has another uid") });
            }
            inner.writes.push(format!("delete {id}"));
            inner.deletes.push(id.clone());
            inner.drop_object(id);
            Ok(true)
        })
        .await
    }
}
