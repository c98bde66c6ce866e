//! One connected cluster as the loop keeps it: its identity and kinds, the inventory, live objects, commands; and the
//! tasks that feed them, which end with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::commands::{self, Commands};
use super::connection::Connection;
use super::contact::FirstContact;
use super::guard::{Guarded, Silence};
use super::lease::{self, Keeper, Lease};
use super::live::{LiveIndex, Place};
use super::probe::probe;
use super::store::{self, Inventory, InventoryError};
use super::watches::Watches;
use super::writer::Writer;
use super::{ClusterEvent, Setup, Tell};
use crate::adapters::cluster::{ClusterError, ClusterIdentity, ClusterRead, ClusterWrite};
use crate::adapters::tasks::Tasks;
use crate::helm::Remembered;
use crate::inventory::{PackedSet, ROLE_LABEL, Unreadable, is_begun};
use crate::model::digest::{Digest, HashKey};
use crate::model::inventory::{StoredHead, StoredSet};
use crate::model::kinds::KindTable;
use crate::model::manifest::INSTANCE_LABEL;
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, NamespaceName};
use crate::model::resource::{GroupKind, ResourceId};
use crate::model::source::CommitSha;

/// How much of the inventory our rights show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Heads, sets and the key.
    Whole,
    /// Heads alone.
    HeadsOnly,
}

/// A connected cluster.
pub struct ClusterState {
    /// For reading.
    pub cluster: Arc<dyn ClusterRead>,
    /// For writing.
    pub writer: Writer,
    /// Who it is.
    pub identity: ClusterIdentity,
    /// How much of the inventory our rights show.
    pub sight: Sight,
    /// Why it is thought to be silent; absent while it answers.
    pub silent: Option<Arc<str>>,
    /// Whether this daemon writes, as far as the loop was told: the inventory is that of its own time.
    pub leads: bool,
    /// What it serves.
    pub kinds: Arc<KindTable>,
    /// Its live objects.
    pub live: LiveIndex,
    /// The watches that feed them.
    pub watches: Watches,
    /// Heads by application.
    pub heads: BTreeMap<ApplicationId, StoredHead>,
    /// Heads and sets that cannot be read.
    pub unreadable: BTreeMap<ApplicationId, Unreadable>,
    /// Applications that were looked for in the cluster after their heads were lost.
    pub searched: BTreeSet<ApplicationId>,
    /// Sets written for rollouts that did not end.
    pub pending: HashMap<ApplicationId, StoredSet>,
    /// Commands by environment.
    pub commands: BTreeMap<EnvironmentName, Commands>,
    /// What stands where we did not write yet.
    pub contact: Arc<FirstContact>,
    /// Namespaces that are known to exist.
    pub namespaces: HashSet<NamespaceName>,
    /// Environments whose ConfigMap of commands is being made.
    pub making: BTreeSet<EnvironmentName>,
    /// Which sets the cluster had when it was connected.
    stored: HashMap<ApplicationId, Vec<StoredSet>>,
    /// Sets, compressed: what is deployed can be restored without asking anyone.
    sets: HashMap<ApplicationId, Vec<PackedSet>>,
    discovery: Discovery,
    instance: InstanceName,
    setup: Setup,
    tell: Tell,
    tasks: Tasks,
}

/// When discovery was asked for last. It is asked for again with every new revision of the config repository, which is
/// when charts are rendered anyway, and else every half hour: charts may ask which kinds there are.
struct Discovery {
    commit: Option<CommitSha>,
    at: Timestamp,
}

/// How long discovery is believed.
const DISCOVERY: SignedDuration = SignedDuration::from_mins(30);

impl ClusterState {
    /// Reads who it is and what it keeps. A missing key is made, unless nothing may be written.
    pub(super) async fn connect(
        connection: &Connection,
        bare: Arc<dyn ClusterWrite>,
    ) -> Result<Self, InventoryError> {
        let Connection { world, setup, instance, tell, .. } = connection;
        let mut tasks = Tasks::new(world.metrics.clone());
        let silence = start_probe(&mut tasks, connection, &bare);
        let cluster: Arc<dyn ClusterWrite> = Arc::new(Guarded::new(bare, silence.clone()));
        let identity = cluster.identity().await?;
        if identity.uid.is_empty() && !setup.dry_run {
            let message = "the namespace kube-system may not be read, whose uid says which cluster this is";
            return Err(ClusterError::Forbidden { message: message.to_owned() }.into());
        }
        let kinds = cluster.kinds(false).await?;
        let (lease, mut keeper) = open_lease(connection, cluster.clone());
        if let Some(keeper) = keeper.as_mut().filter(|_| setup.lasting) {
            keeper.begin().await;
        }
        let writer = Writer::new(cluster.clone(), lease.clone());
        let namespace = &setup.own_namespace;
        let (key, sight) = match store::read_key(&*cluster, namespace, instance).await {
            Ok(Some(key)) => (key, Sight::Whole),
            Ok(None) => (make_key(connection, &writer, keeper.as_mut()).await?, Sight::Whole),
            // Who only looks needs heads alone (RULES §7).
            Err(InventoryError::Cluster(ClusterError::Forbidden { .. })) if setup.dry_run => {
                (new_key(connection)?, Sight::HeadsOnly)
            }
            Err(error) => return Err(error),
        };
        let mut live = LiveIndex::new(key, world.clock.clone());
        let inventory = match sight {
            Sight::Whole => store::read_all(&*cluster, namespace, instance).await?,
            Sight::HeadsOnly => {
                live = live.keeping_bodies();
                store::read_heads(&*cluster, namespace, instance).await?
            }
        };
        let commands = commands::read_all(&*cluster, namespace, instance).await?;
        // The inventory's own objects carry a role and are read on their own.
        let selector = format!("{INSTANCE_LABEL}={instance},!{ROLE_LABEL}");
        let reader: Arc<dyn ClusterRead> = cluster.clone();
        let mut state = Self {
            contact: Arc::new(FirstContact::new(reader.clone(), live.clone())),
            watches: Watches::new(
                live.clone(),
                reader.clone(),
                silence.clone(),
                selector,
                tell.clone(),
                world.metrics.clone(),
            ),
            cluster: reader,
            leads: lease.is_held(),
            writer,
            identity,
            sight,
            silent: None,
            kinds,
            live,
            heads: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            searched: BTreeSet::new(),
            pending: HashMap::new(),
            commands,
            namespaces: HashSet::new(),
            making: BTreeSet::new(),
            stored: HashMap::new(),
            sets: HashMap::new(),
            discovery: Discovery { commit: None, at: world.clock.steady() },
            instance: instance.clone(),
            setup: setup.clone(),
            tell: tell.clone(),
            tasks,
        };
        state.take_inventory(inventory);
        state.start_tasks(keeper);
        Ok(state)
    }

    fn start_tasks(&mut self, keeper: Option<Keeper>) {
        let (cluster, tell) = (self.cluster.clone(), self.tell.clone());
        let (namespace, instance) = (self.setup.own_namespace.clone(), self.instance.clone());
        if let Some(keeper) = keeper.filter(|_| !self.setup.dry_run) {
            if self.setup.lasting {
                self.writer.lease().want();
            }
            self.tasks.spawn(keeper.keep(tell.clone()));
        }
        if self.setup.lasting {
            let follow = commands::Follow { cluster: cluster.clone(), namespace, instance, tell };
            self.tasks.supervise("commands", move || follow.clone().run());
            let heads = store::FollowHeads {
                cluster,
                namespace: self.setup.own_namespace.clone(),
                instance: self.instance.clone(),
                lease: self.writer.lease().clone(),
                tell: self.tell.clone(),
            };
            self.tasks.supervise("heads", move || heads.clone().run());
        }
    }

    /// Asks again what the cluster serves and which version it has, if it is time to, or `now` if somebody misses a
    /// kind.
    pub fn discover(&mut self, commit: Option<CommitSha>, now: Timestamp, asked: bool) {
        self.discovery.commit = self.discovery.commit.or(commit);
        let moved = self.discovery.commit != commit;
        let age = now.duration_since(self.discovery.at);
        let due = moved && age >= SignedDuration::from_mins(1) || age >= DISCOVERY;
        if !(asked || due) || self.silent.is_some() {
            return;
        }
        self.discovery = Discovery { commit, at: now };
        let (cluster, tell) = (self.cluster.clone(), self.tell.clone());
        self.tasks.spawn(async move {
            // Where it does not answer, it is asked next time.
            if let (Ok(kinds), Ok(identity)) = tokio::join!(cluster.kinds(true), cluster.identity()) {
                tell(ClusterEvent::Discovered { kinds, version: identity.version });
            }
        });
    }

    /// Takes the inventory as it was read, in place of what was known.
    pub fn take_inventory(&mut self, inventory: Inventory) {
        for (id, object) in inventory.heads.values().flat_map(|stored| &stored.head.objects) {
            self.live.expect(id, object.projection);
        }
        self.heads = inventory.heads;
        self.unreadable = inventory.unreadable;
        self.pending.clear();
        self.stored.clear();
        self.sets.clear();
        for (stored, packed) in inventory.sets {
            let head = self.heads.get(&stored.application).map(|head| &head.head);
            if is_begun(&stored, head) {
                self.pending.insert(stored.application.clone(), stored.clone());
            }
            self.sets.entry(stored.application.clone()).or_default().push(packed);
            if !self.heads.contains_key(&stored.application) {
                self.stored.entry(stored.application.clone()).or_default().push(stored);
            }
        }
    }

    /// The sets of an application that had no head when the cluster was connected.
    pub fn stored_sets(&self, application: &ApplicationId) -> &[StoredSet] {
        self.stored.get(application).map_or(&[], Vec::as_slice)
    }

    /// Takes a head that was put together again. A set that it already knows is no pending rollout.
    pub fn take_head(&mut self, application: ApplicationId, head: StoredHead) {
        if self.pending.get(&application).is_some_and(|pending| !is_begun(pending, Some(&head.head))) {
            self.pending.remove(&application);
        }
        self.heads.insert(application, head);
    }

    /// Starts the watches of kinds that are served.
    pub fn watch<'a>(&mut self, kinds: impl IntoIterator<Item = &'a GroupKind>) {
        for kind in kinds {
            if let Some(info) = self.kinds.get(kind).filter(|info| info.watchable) {
                self.watches.ensure(Place::everywhere(kind), info.namespaced);
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
            let begun = self.pending.get(application).map(|pending| pending.digest);
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

    /// Makes the ConfigMaps of commands that environments lack, if this daemon writes.
    pub fn make_commands(&mut self, environments: impl IntoIterator<Item = EnvironmentName>) {
        if !self.leads || self.silent.is_some() {
            return;
        }
        for environment in environments {
            if self.commands.contains_key(&environment) || !self.making.insert(environment.clone()) {
                continue;
            }
            let (writer, tell, instance) = (self.writer.clone(), self.tell.clone(), self.instance.clone());
            let namespace = self.setup.own_namespace.clone();
            self.tasks.spawn(async move {
                let made = commands::make(&writer, &namespace, &instance, &environment).await;
                if let Err(error) = &made {
                    tracing::warn!(environment.name = %environment, error = %error, "Failed to make the ConfigMap of commands");
                }
                tell(ClusterEvent::Commands(environment, made.ok()));
            });
        }
    }

    /// Forgets what stood where nothing of ours was written yet: the next look is a fresh one.
    pub fn forget_contact(&mut self) {
        self.contact = Arc::new(FirstContact::new(self.cluster.clone(), self.live.clone()));
    }

    /// Runs an errand of this cluster.
    pub fn spawn(&mut self, errand: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(errand);
    }

    /// Where events of this cluster go.
    pub fn tell(&self) -> Tell {
        self.tell.clone()
    }
}

fn start_probe(
    tasks: &mut Tasks,
    connection: &Connection,
    bare: &Arc<dyn ClusterWrite>,
) -> watch::Receiver<Silence> {
    let (sender, silence) = watch::channel(None);
    let (cluster, clock, tell) = (bare.clone(), connection.world.clock.clone(), connection.tell.clone());
    tasks.supervise("probe", move || probe(cluster.clone(), clock.clone(), sender.clone(), tell.clone()));
    silence
}

fn open_lease(connection: &Connection, cluster: Arc<dyn ClusterWrite>) -> (Lease, Option<Keeper>) {
    let place = (connection.setup.own_namespace.clone(), connection.instance.clone());
    let enabled = connection.setup.leader_election;
    lease::lease(cluster, connection.world.clock.clone(), place, connection.identity.clone(), enabled)
}

fn new_key(connection: &Connection) -> Result<HashKey, InventoryError> {
    connection.world.entropy.key().map_err(|error| InventoryError::Entropy(error.to_string()))
}

/// Makes the key of the fingerprints; whoever makes it holds the lease.
async fn make_key(
    connection: &Connection,
    writer: &Writer,
    keeper: Option<&mut Keeper>,
) -> Result<HashKey, InventoryError> {
    let (key, setup) = (new_key(connection)?, &connection.setup);
    if setup.dry_run {
        return Ok(key);
    }
    if let Some(keeper) = keeper {
        // The daemon that holds it makes the key; one that was killed holds it no longer before long.
        while !writer.lease().is_held() {
            keeper.begin().await;
            let made = store::read_key(writer.reader(), &setup.own_namespace, &connection.instance).await?;
            if let Some(key) = made {
                return Ok(key);
            }
            if let Err(error) = writer.lease().check() {
                (connection.tell)(ClusterEvent::Unconnected(error.into()));
                tokio::time::sleep(lease::LOOK).await;
            }
        }
    }
    ensure_namespace(writer, &setup.own_namespace).await?;
    store::make_key(writer, &setup.own_namespace, &connection.instance, key).await
}

/// Our own namespace with the key in it, where somebody deleted them.
pub async fn restore_home(
    writer: &Writer,
    namespace: &NamespaceName,
    instance: &InstanceName,
    key: HashKey,
) -> Result<(), ClusterError> {
    ensure_namespace(writer, namespace).await?;
    match store::make_key(writer, namespace, instance, key).await {
        Err(InventoryError::Cluster(error)) => Err(error),
        Ok(_) | Err(InventoryError::Unreadable(_) | InventoryError::Entropy(_)) => Ok(()),
    }
}

/// Creates moorline's own namespace, unless it is there.
async fn ensure_namespace(writer: &Writer, namespace: &NamespaceName) -> Result<(), ClusterError> {
    let id = namespace_id(namespace);
    if writer.reader().get(&id, None).await?.is_some() {
        return Ok(());
    }
    let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.as_str()}});
    match writer.put(&object).await {
        Err(ClusterError::Changed { .. }) => Ok(()),
        other => other.map(drop),
    }
}

/// The identity of a namespace.
pub fn namespace_id(namespace: &NamespaceName) -> ResourceId {
    ResourceId { kind: GroupKind::new("", "Namespace"), namespace: None, name: namespace.as_str().into() }
}
