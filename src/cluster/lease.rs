//! Who writes: one daemon for each instance and cluster holds a Lease there (RULES §14). The others watch, and take
//! over when it was let go of or has not been renewed for its whole duration, as seen by their own clock: clocks of
//! machines are never compared.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::store::{self, Inventory};
use super::{ClusterEvent, Tell};
use crate::adapters::clock::Clock;
use crate::adapters::cluster::{ClusterError, ClusterWrite};
use crate::inventory::{Role, metadata};
use crate::model::error::chain;
use crate::model::name::{InstanceName, NamespaceName};
use crate::model::resource::{GroupKind, ResourceId};

/// For how long nobody else takes it after a renewal.
const DURATION: Duration = Duration::from_secs(15);
/// For how long its holder writes after a renewal: less, so that a slow write has ended before another begins.
const DEADLINE: Duration = Duration::from_secs(10);
/// A renewal that is not answered within this time has failed.
const ANSWER: Duration = Duration::from_secs(4);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(5);
/// How often those look who wait for it.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// After a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether this daemon may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Nobody asked for it yet.
    Unasked,
    /// It may, until then.
    Held(Instant),
    /// Another daemon does.
    Standby {
        /// Its name.
        holder: String,
    },
    /// It cannot be told.
    Unknown {
        /// Why.
        error: ClusterError,
    },
}

impl LeaseState {
    /// Whether a write is allowed now.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(until) if Instant::now() < *until)
    }
}

/// The lease of one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Lease {
    state: watch::Receiver<LeaseState>,
    /// Set once somebody wants to write.
    wanted: Arc<watch::Sender<bool>>,
    /// Tells the keeper to let go of it.
    release: Arc<watch::Sender<bool>>,
}

impl Lease {
    /// The state.
    pub fn state(&self) -> LeaseState {
        self.state.borrow().clone()
    }

    /// Whether a write is allowed now.
    pub fn is_held(&self) -> bool {
        self.state.borrow().is_held()
    }

    /// Whether somebody wants to write.
    pub fn is_awaited(&self) -> bool {
        *self.wanted.borrow()
    }

    /// Ends when another daemon holds it; with false, when none does any more, as far as is known here.
    pub async fn stands_by(&self, stands_by: bool) {
        let mut state = self.state.clone();
        let there = |state: &LeaseState| matches!(state, LeaseState::Standby { .. }) == stands_by;
        if state.wait_for(there).await.is_err() {
            std::future::pending().await
        }
    }

    /// Asks for it.
    pub fn want(&self) {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// Why a write is not allowed now.
    pub fn check(&self) -> Result<(), ClusterError> {
        match &*self.state.borrow() {
            held if held.is_held() => Ok(()),
            LeaseState::Standby { holder } => Err(ClusterError::NotLeader { holder: holder.clone() }),
            LeaseState::Unknown { error } => Err(error.clone()),
            LeaseState::Held(_) | LeaseState::Unasked => Err(ClusterError::Unavailable {
                message: "the lease is not renewed yet".to_owned(),
                retry_after: Some(AGAIN),
            }),
        }
    }

    /// Lets go of it, and waits a moment for that: the next daemon goes on at once.
    pub async fn release(&self) {
        if !matches!(self.state(), LeaseState::Held(_)) {
            return;
        }
        self.release.send_replace(true);
        let mut state = self.state.clone();
        let gone = state.wait_for(|state| !matches!(state, LeaseState::Held(_)));
        let _ = tokio::time::timeout(Duration::from_secs(2), gone).await;
    }
}

/// Takes and renews the lease.
pub struct Keeper {
    cluster: Arc<dyn ClusterWrite>,
    clock: Arc<dyn Clock>,
    namespace: NamespaceName,
    instance: InstanceName,
    /// The name of this daemon.
    identity: String,
    state: watch::Sender<LeaseState>,
    wanted: watch::Receiver<bool>,
    release: watch::Receiver<bool>,
    /// The version of the Lease when it was ours last.
    ours: Option<Value>,
    /// The Lease of another as it was seen first, and when.
    theirs: Option<(String, Instant)>,
}

/// The lease with its keeper. `enabled` is false where people promise that there is one daemon alone.
pub fn lease(
    cluster: Arc<dyn ClusterWrite>,
    clock: Arc<dyn Clock>,
    place: (NamespaceName, InstanceName),
    identity: String,
    enabled: bool,
) -> (Lease, Option<Keeper>) {
    let far = Instant::now() + Duration::from_hours(24 * 365 * 30);
    let first = if enabled { LeaseState::Unasked } else { LeaseState::Held(far) };
    let (sender, state) = watch::channel(first);
    let (wanted_sender, wanted) = watch::channel(false);
    let (release_sender, release) = watch::channel(false);
    let lease = Lease { state, wanted: Arc::new(wanted_sender), release: Arc::new(release_sender) };
    let (namespace, instance) = place;
    let keeper = Keeper {
        cluster,
        clock,
        namespace,
        instance,
        identity,
        state: sender,
        wanted,
        release,
        ours: None,
        theirs: None,
    };
    (lease, enabled.then_some(keeper))
}

impl Keeper {
    /// Keeps it for ever, once it is wanted, and tells of each change.
    pub(super) async fn keep(mut self, tell: Tell) {
        let mut told = matches!(*self.state.borrow(), LeaseState::Held(_));
        // Whoever took it to make the key keeps it.
        if !told && self.wanted.wait_for(|wanted| *wanted).await.is_err() {
            return;
        }
        loop {
            if *self.release.borrow() {
                return self.let_go().await;
            }
            let state = self.turn().await;
            let held = matches!(state, LeaseState::Held(_));
            // Whoever gets it reads first what the daemon before left, and writes then.
            if held && !told {
                let inventory = self.inherited().await.map(Box::new);
                self.state.send_replace(state.clone());
                tell(ClusterEvent::Lease(state.clone(), inventory));
            }
            let before = self.state.send_replace(state.clone());
            if !held && std::mem::discriminant(&before) != std::mem::discriminant(&state) {
                tell(ClusterEvent::Lease(state.clone(), None));
            }
            told = held;
            let pause = match &state {
                LeaseState::Held(_) => RENEW,
                LeaseState::Standby { .. } => LOOK,
                _ => AGAIN,
            };
            tokio::select! {
                biased;
                _ = self.release.wait_for(|release| *release) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The inventory as the daemon before left it. Where it cannot be read, what is known serves: every write compares.
    async fn inherited(&self) -> Option<Inventory> {
        match store::read_all(&*self.cluster, &self.namespace, &self.instance).await {
            Ok(inventory) => Some(inventory),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "Failed to read the inventory anew with the lease");
                None
            }
        }
    }

    /// Takes or renews it once, and says how it stands.
    pub async fn turn(&mut self) -> LeaseState {
        let began = Instant::now();
        let asked = tokio::time::timeout(ANSWER, self.take()).await;
        let late = || ClusterError::Unavailable { message: "no answer".to_owned(), retry_after: None };
        match asked.unwrap_or_else(|_| Err(late())) {
            Ok(None) => LeaseState::Held(began + DEADLINE),
            Ok(Some(holder)) => LeaseState::Standby { holder },
            // Somebody else was faster: who, the next look tells.
            Err(ClusterError::Changed { .. }) => LeaseState::Standby { holder: "another".to_owned() },
            Err(error) => match &*self.state.borrow() {
                held if held.is_held() => held.clone(),
                _ => LeaseState::Unknown { error },
            },
        }
    }

    /// The first turn, for a daemon that begins.
    pub async fn begin(&mut self) -> LeaseState {
        let state = self.turn().await;
        self.state.send_replace(state.clone());
        state
    }

    /// Takes it if it may be taken; else gives its holder.
    async fn take(&mut self) -> Result<Option<String>, ClusterError> {
        if let Some(ours) = self.ours.take() {
            match self.cluster.put(&self.renewed(&ours)).await {
                Ok(stored) => {
                    self.ours = Some(stored);
                    return Ok(None);
                }
                Err(ClusterError::Changed { .. } | ClusterError::Missing { .. }) => {}
                Err(error) => {
                    self.ours = Some(ours);
                    return Err(error);
                }
            }
        }
        let there = self.cluster.get(&self.id(), None).await?;
        let Some(there) = there else {
            let stored = self.create().await?;
            self.ours = Some(stored);
            return Ok(None);
        };
        let text = |at: &str| there.pointer(at).and_then(Value::as_str).unwrap_or("").to_owned();
        let (holder, version) = (text("/spec/holderIdentity"), text("/metadata/resourceVersion"));
        if !holder.is_empty() && holder != self.identity && !self.is_expired(&there, version) {
            return Ok(Some(holder));
        }
        let stored = self.cluster.put(&self.taken(&there)).await?;
        (self.ours, self.theirs) = (Some(stored), None);
        Ok(None)
    }

    /// Whether the Lease of another has stood unchanged for its whole duration, while we looked.
    fn is_expired(&mut self, there: &Value, version: String) -> bool {
        let seconds = there.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(15);
        let now = Instant::now();
        match &self.theirs {
            Some((known, since)) if *known == version => {
                now.duration_since(*since) >= Duration::from_secs(seconds.min(3600))
            }
            _ => {
                self.theirs = Some((version, now));
                false
            }
        }
    }

    fn id(&self) -> ResourceId {
        ResourceId {
            kind: GroupKind::new("coordination.k8s.io", "Lease"),
            namespace: Some(self.namespace.as_str().into()),
            name: self.instance.as_str().into(),
        }
    }

    async fn create(&self) -> Result<Value, ClusterError> {
        let metadata =
            metadata(self.instance.to_string(), &self.namespace, &self.instance, None, Role::Lease);
        let object = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata});
        let object = self.taken(&object);
        match self.cluster.put(&object).await {
            Err(ClusterError::Missing { .. }) => {
                let home = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace.as_str()}});
                match self.cluster.put(&home).await {
                    Ok(_) | Err(ClusterError::Changed { .. }) => self.cluster.put(&object).await,
                    Err(error) => Err(error),
                }
            }
            other => other,
        }
    }

    fn taken(&self, there: &Value) -> Value {
        let changes = there.pointer("/spec/leaseTransitions").and_then(Value::as_u64);
        let mut object = self.renewed(there);
        object["spec"]["holderIdentity"] = json!(self.identity);
        object["spec"]["leaseDurationSeconds"] = json!(DURATION.as_secs());
        object["spec"]["acquireTime"] = object["spec"]["renewTime"].clone();
        object["spec"]["leaseTransitions"] = json!(changes.map_or(0, |changes| changes + 1));
        object
    }

    fn renewed(&self, there: &Value) -> Value {
        let mut object = there.clone();
        object["spec"]["renewTime"] = json!(self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
        object
    }

    async fn let_go(&mut self) {
        if let Some(ours) = self.ours.take() {
            let mut object = self.renewed(&ours);
            object["spec"]["holderIdentity"] = json!("");
            object["spec"]["leaseDurationSeconds"] = json!(1);
            // If that fails, the next daemon waits for the duration.
            let _ = self.cluster.put(&object).await;
        }
        self.state.send_replace(LeaseState::Unasked);
    }
}
