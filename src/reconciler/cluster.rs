//! One cluster as the reconciler sees it: its identity and kinds, the inventory, live objects, commands.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::commands::{self, Commands};
use super::inventory::{self, Inventory, InventoryError, PackedSet, ROLE_LABEL};
use super::live::{LiveIndex, Place, Watches};
use super::onlooker::Sight;
use super::{Event, Options};
use crate::adapters::World;
use crate::adapters::cluster::{ClusterError, ClusterIdentity, ClusterWrite};
use crate::diff;
use crate::helm::Remembered;
use crate::model::digest::{Digest, HashKey};
use crate::model::inventory::{StoredHead, StoredSet};
use crate::model::kinds::KindTable;
use crate::model::live::LiveRecord;
use crate::model::manifest::INSTANCE_LABEL;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, NamespaceName};
use crate::model::resource::{GroupKind, ResourceId};
use crate::model::source::CommitSha;

/// A connected cluster.
pub struct ClusterState {
    /// The connection.
    pub cluster: Arc<dyn ClusterWrite>,
    /// Who it is.
    pub identity: ClusterIdentity,
    /// How much of the inventory our rights show.
    pub sight: Sight,
    /// What it serves.
    pub kinds: Arc<KindTable>,
    /// When that was asked for last.
    pub discovery: Discovery,
    /// Its live objects.
    pub live: LiveIndex,
    /// The watches that feed them.
    pub watches: Watches,
    /// Heads by application.
    pub heads: BTreeMap<ApplicationId, StoredHead>,
    /// Heads that cannot be read.
    pub unreadable: BTreeMap<ApplicationId, String>,
    /// Applications that were looked for in the cluster after their heads were lost.
    pub searched: BTreeSet<ApplicationId>,
    /// Sets written for rollouts that did not end.
    pub intents: HashMap<ApplicationId, StoredSet>,
    /// Which sets the cluster had when it was connected.
    stored: HashMap<ApplicationId, Vec<StoredSet>>,
    /// Sets, compressed: what is deployed can be restored without asking anyone.
    sets: HashMap<ApplicationId, Vec<PackedSet>>,
    /// Commands by environment.
    pub commands: BTreeMap<EnvironmentName, Commands>,
    /// What stands where we did not write yet.
    pub contact: Arc<FirstContact>,
    /// Namespaces that are known to exist.
    pub namespaces: HashSet<NamespaceName>,
}

/// When discovery was asked for last. It is asked for again with every new revision of the config repository, which is
/// when charts are rendered anyway, and else every half hour: charts may ask which kinds there are.
pub struct Discovery {
    commit: Option<CommitSha>,
    at: Timestamp,
}

/// How long discovery is believed.
const DISCOVERY: SignedDuration = SignedDuration::from_mins(30);

impl Discovery {
    /// Whether it is time to ask.
    pub fn is_due(&self, commit: Option<CommitSha>, now: Timestamp) -> bool {
        let moved = self.commit.is_some() && self.commit != commit;
        let age = now.duration_since(self.at);
        moved && age >= SignedDuration::from_mins(1) || age >= DISCOVERY
    }

    /// Notes the revision that goes with what was read.
    pub fn note(&mut self, commit: Option<CommitSha>) {
        self.commit = self.commit.or(commit);
    }
}

impl ClusterState {
    /// Connects and reads the inventory. A missing key is made, unless nothing may be written.
    pub async fn connect(
        world: &World,
        options: &Options,
        instance: &InstanceName,
        context: Option<&str>,
        events: UnboundedSender<Event>,
    ) -> Result<Self, InventoryError> {
        let cluster = world.clusters.connect(context).await?;
        let identity = cluster.identity().await?;
        if identity.uid.is_empty() && !options.dry_run {
            let message = "the namespace kube-system may not be read, whose uid says which cluster this is";
            return Err(ClusterError::Forbidden { message: message.to_owned() }.into());
        }
        let kinds = cluster.kinds(false).await?;
        let namespace = &options.own_namespace;
        let (key, sight) = match inventory::read_key(&*cluster, namespace, instance).await {
            Ok(Some(key)) => (key, Sight::Whole),
            Ok(None) => (make_key(world, options, instance, &*cluster).await?, Sight::Whole),
            // Who only looks needs heads alone (RULES §7).
            Err(InventoryError::Cluster(ClusterError::Forbidden { .. })) if options.dry_run => {
                (make_key(world, options, instance, &*cluster).await?, Sight::HeadsOnly)
            }
            Err(error) => return Err(error),
        };
        let mut live = LiveIndex::new(key, world.clock.clone());
        let inventory = match sight {
            Sight::Whole => inventory::read_all(&*cluster, namespace, instance).await?,
            Sight::HeadsOnly => {
                live = live.keeping_bodies();
                inventory::read_heads(&*cluster, namespace, instance).await?
            }
        };
        // The inventory's own objects carry a role and are read on their own.
        let selector = format!("{INSTANCE_LABEL}={instance},!{ROLE_LABEL}");
        let watches = Watches::new(live.clone(), cluster.clone(), selector, events);
        let mut state = Self {
            contact: Arc::new(FirstContact::new(cluster.clone(), live.clone())),
            cluster,
            identity,
            sight,
            kinds,
            discovery: Discovery { commit: None, at: world.clock.steady() },
            live,
            watches,
            heads: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            searched: BTreeSet::new(),
            intents: HashMap::new(),
            stored: HashMap::new(),
            sets: HashMap::new(),
            commands: BTreeMap::new(),
            namespaces: HashSet::new(),
        };
        state.take_inventory(inventory);
        Ok(state)
    }

    /// Asks again what the cluster serves, and which version it has. Where it does not answer, it is asked next time.
    pub async fn discover(&mut self, commit: Option<CommitSha>, now: Timestamp) {
        let (kinds, identity) = tokio::join!(self.cluster.kinds(true), self.cluster.identity());
        if let (Ok(kinds), Ok(identity)) = (kinds, identity) {
            self.kinds = kinds;
            self.identity.version = identity.version;
            self.discovery = Discovery { commit, at: now };
        }
    }

    fn take_inventory(&mut self, inventory: Inventory) {
        for (id, object) in inventory.heads.values().flat_map(|stored| &stored.head.objects) {
            self.live.expect(id, object.projection);
        }
        self.heads = inventory.heads;
        self.unreadable = inventory.unreadable;
        for (stored, packed) in inventory.sets {
            let head = self.heads.get(&stored.application).map(|head| &head.head);
            if inventory::is_begun(&stored, head) {
                self.intents.insert(stored.application.clone(), stored.clone());
            }
            self.sets.entry(stored.application.clone()).or_default().push(packed);
            if !self.heads.contains_key(&stored.application) {
                self.stored.entry(stored.application.clone()).or_default().push(stored);
            }
        }
    }

    /// The sets of an application that had no head when the cluster was connected.
    pub fn stored_sets(&self, application: &ApplicationId) -> impl Iterator<Item = &StoredSet> {
        self.stored.get(application).into_iter().flatten()
    }

    /// Takes a head that was put together again. A set that it already knows is no intent.
    pub fn take_head(&mut self, application: ApplicationId, head: StoredHead) {
        if self.intents.get(&application).is_some_and(|intent| !inventory::is_begun(intent, Some(&head.head)))
        {
            self.intents.remove(&application);
        }
        self.heads.insert(application, head);
    }

    /// Starts the watches of kinds that are served.
    pub fn watch<'a>(&mut self, kinds: impl IntoIterator<Item = &'a GroupKind>) {
        for kind in kinds {
            if let Some(info) = self.kinds.get(kind).filter(|info| info.watchable) {
                self.watches.ensure(Place { kind: kind.clone(), namespace: None }, info.namespaced);
            }
        }
    }

    /// Starts watches in namespaces.
    pub fn watch_places(&mut self, places: impl IntoIterator<Item = Place>) {
        places.into_iter().for_each(|place| self.watches.ensure(place, true));
    }

    /// Keeps a set at hand: of each application the deployed one, and the newest.
    pub fn keep_set(&mut self, application: &ApplicationId, packed: PackedSet) {
        let head = self.heads.get(application).map(|stored| &stored.head);
        let deployed = head.and_then(|head| head.deployed.as_ref()).map(|version| version.digest);
        let sets = self.sets.entry(application.clone()).or_default();
        sets.retain(|one| one.digest != packed.digest && Some(one.digest) == deployed);
        sets.push(packed);
    }

    /// What charts drew before, by application: as the set of the rollout that goes on has it, else the deployed one.
    pub fn drawn(&self) -> BTreeMap<ApplicationId, Arc<Remembered>> {
        let of = |application: &ApplicationId| {
            let begun = self.intents.get(application).map(|intent| intent.digest);
            let head = self.heads.get(application).map(|stored| &stored.head);
            let deployed = head.and_then(|head| head.deployed.as_ref()).map(|version| version.digest);
            let sets = begun.into_iter().chain(deployed).filter_map(|digest| self.set(application, &digest));
            sets.map(PackedSet::drawn).next().filter(|drawn| !drawn.is_empty()).cloned()
        };
        self.sets.keys().filter_map(|application| Some((application.clone(), of(application)?))).collect()
    }

    /// A set at hand.
    pub fn set(&self, application: &ApplicationId, digest: &Digest) -> Option<&PackedSet> {
        self.sets.get(application)?.iter().find(|set| set.digest == *digest)
    }

    /// Reads the commands of an environment, and makes their ConfigMap if `make` is set.
    pub async fn read_commands(
        &mut self,
        options: &Options,
        instance: &InstanceName,
        environment: &EnvironmentName,
    ) -> Result<(), ClusterError> {
        let namespace = &options.own_namespace;
        let read = commands::read(&*self.cluster, namespace, instance, environment).await?;
        if read.is_none() && !options.dry_run {
            commands::make(&*self.cluster, namespace, instance, environment).await?;
        }
        self.commands.insert(environment.clone(), read.unwrap_or_default());
        Ok(())
    }
}

async fn make_key(
    world: &World,
    options: &Options,
    instance: &InstanceName,
    cluster: &dyn ClusterWrite,
) -> Result<HashKey, InventoryError> {
    let key = world.entropy.key().map_err(|error| InventoryError::Unreadable {
        object: "the entropy of the operating system".to_owned(),
        why: error.to_string(),
    })?;
    if options.dry_run {
        return Ok(key);
    }
    ensure_namespace(cluster, &options.own_namespace).await?;
    inventory::make_key(cluster, &options.own_namespace, instance, key).await
}

/// Our own namespace with the key in it, where somebody deleted them.
pub(super) async fn restore_home(
    cluster: &dyn ClusterWrite,
    namespace: &NamespaceName,
    instance: &InstanceName,
    key: HashKey,
) -> Result<(), ClusterError> {
    ensure_namespace(cluster, namespace).await?;
    match inventory::make_key(cluster, namespace, instance, key).await {
        Err(InventoryError::Cluster(error)) => Err(error),
        Ok(_) | Err(InventoryError::Unreadable { .. }) => Ok(()),
    }
}

/// Creates moorline's own namespace, unless it is there.
async fn ensure_namespace(cluster: &dyn ClusterWrite, namespace: &NamespaceName) -> Result<(), ClusterError> {
    let id = namespace_id(namespace);
    if cluster.get(&id, None).await?.is_some() {
        return Ok(());
    }
    let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.as_str()}});
    match cluster.put(&object).await {
        Err(ClusterError::Changed { .. }) => Ok(()),
        other => other.map(drop),
    }
}

/// The identity of a namespace.
pub fn namespace_id(namespace: &NamespaceName) -> ResourceId {
    ResourceId { kind: GroupKind::new("", "Namespace"), namespace: None, name: namespace.as_str().into() }
}

/// What stands in places where we want to write for the first time: objects without our labels are in no watch.
/// One list per kind and namespace, shared by all applications of a pass.
pub struct FirstContact {
    cluster: Arc<dyn ClusterWrite>,
    live: LiveIndex,
    lists: Mutex<HashMap<Place, Arc<BTreeMap<ResourceId, LiveRecord>>>>,
}

impl FirstContact {
    fn new(cluster: Arc<dyn ClusterWrite>, live: LiveIndex) -> Self {
        Self { cluster, live, lists: Mutex::default() }
    }

    /// Forgets what was read: the next look is a fresh one.
    pub async fn clear(&self) {
        self.lists.lock().await.clear();
    }

    /// The record of an object that no watch shows.
    pub async fn look(&self, id: &ResourceId, namespaced: bool) -> Result<Option<LiveRecord>, ClusterError> {
        if !namespaced {
            let object = self.cluster.get(id, None).await?;
            return Ok(object.as_ref().and_then(|object| self.observe(object)).map(|(_, record)| record));
        }
        let key = Place { kind: id.kind.clone(), namespace: id.namespace.clone() };
        let mut lists = self.lists.lock().await;
        if let Some(list) = lists.get(&key) {
            return Ok(list.get(id).cloned());
        }
        let objects = self.cluster.list(&id.kind, None, id.namespace.as_deref(), None).await?;
        let list: BTreeMap<ResourceId, LiveRecord> =
            objects.iter().filter_map(|object| self.observe(object)).collect();
        let found = list.get(id).cloned();
        lists.insert(key, Arc::new(list));
        Ok(found)
    }

    fn observe(&self, object: &Value) -> Option<(ResourceId, LiveRecord)> {
        let observed = diff::observe(object, self.live.key(), self.live.now())?;
        Some((observed.id, observed.record))
    }
}
