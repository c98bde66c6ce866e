//! A situation in words, as an observation. Objects are written `Kind/name`, with `@2` for another content than the
//! first, and in parentheses what is special about them: `Deployment/web@2(changed, health=Progressing)`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moorline::model::digest::{Digest, HashKey, KeyedHash};
use moorline::model::drift::{ExtraField, FieldOwner};
use moorline::model::facts::{Blocked, Version};
use moorline::model::health::{Health, HealthStatus};
use moorline::model::hold::HoldReason;
use moorline::model::inventory::{
    HEAD_FORMAT, Head, HeadObject, PendingProgress, Phase, Slot, StoredHead, StoredSet, Suspension,
};
use moorline::model::kinds::KindTable;
use moorline::model::live::{LiveRecord, Projection, Replicas, ResourceVersion};
use moorline::model::manifest::{Manifest, RenderedSet};
use moorline::model::name::ApplicationId;
use moorline::model::policy::{Extras, OnFailure, SyncPolicy};
use moorline::model::resource::{GroupKind, ResourceId};
use moorline::sync::{
    Action, AppliedObject, ApplyReason, Cluster, Commands, Effect, Failure, FailureCause, Live, Observation,
    Others, Outcome, Progress, Recorded, Wanted, WantedSet, WantedVersion,
};
use serde_json::json;

/// Why a line cannot be understood.
type Understood<T> = Result<T, String>;

/// The namespace of everything.
const NAMESPACE: &str = "shop-dev";
/// Kinds by name: group, version, whether they are in namespaces.
const KINDS: [(&str, &str, &str, bool); 12] = [
    ("ConfigMap", "", "v1", true),
    ("Secret", "", "v1", true),
    ("Service", "", "v1", true),
    ("PersistentVolumeClaim", "", "v1", true),
    ("Namespace", "", "v1", false),
    ("Deployment", "apps", "v1", true),
    ("StatefulSet", "apps", "v1", true),
    ("Job", "batch", "v1", true),
    ("HorizontalPodAutoscaler", "autoscaling", "v2", true),
    ("CustomResourceDefinition", "apiextensions.k8s.io", "v1", false),
    ("ClusterRole", "rbac.authorization.k8s.io", "v1", false),
    ("Widget", "example.com", "v1", true),
];

/// An object as it is written in a case.
#[derive(Clone)]
struct Token {
    kind: &'static (&'static str, &'static str, &'static str, bool),
    name: String,
    content: u32,
    special: BTreeMap<String, String>,
}

impl Token {
    fn parse(text: &str) -> Understood<Self> {
        let (text, special) = match text.split_once('(') {
            Some((text, rest)) => (text, rest.strip_suffix(')').ok_or("a parenthesis is open")?),
            None => (text, ""),
        };
        let (text, content) = text.split_once('@').unwrap_or((text, "1"));
        let (kind, name) = text.split_once('/').ok_or_else(|| format!("{text} is no Kind/name"))?;
        let kind = KINDS.iter().find(|known| known.0 == kind).ok_or_else(|| format!("no kind {kind}"))?;
        let pairs = special.split(';').map(str::trim).filter(|one| !one.is_empty());
        let pair = |one: &str| {
            let (key, value) = one.split_once('=').unwrap_or((one, ""));
            (key.to_owned(), value.to_owned())
        };
        let content = content.parse().map_err(|_| format!("{content} is no number"))?;
        Ok(Self { kind, name: name.to_owned(), content, special: pairs.map(pair).collect() })
    }

    fn id(&self) -> ResourceId {
        ResourceId {
            kind: GroupKind::new(self.kind.1, self.kind.0),
            namespace: self.kind.3.then(|| NAMESPACE.into()),
            name: self.name.as_str().into(),
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.special.get(key).map(String::as_str)
    }

    fn has(&self, key: &str) -> bool {
        self.special.contains_key(key)
    }

    fn api_version(&self) -> String {
        let (_, group, version, _) = self.kind;
        if group.is_empty() { (*version).to_owned() } else { format!("{group}/{version}") }
    }

    fn uid(&self) -> String {
        format!("uid-{}", self.name)
    }

    fn manifest(&self) -> Manifest {
        let mut annotations = json!({});
        if let Some(wave) = self.get("wave") {
            annotations["argocd.argoproj.io/sync-wave"] = json!(wave);
        }
        if self.has("keep") {
            annotations["helm.sh/resource-policy"] = json!("keep");
        }
        let mut object = json!({
            "apiVersion": self.api_version(), "kind": self.kind.0,
            "metadata": {"name": self.name, "annotations": annotations},
            "spec": {"content": self.content},
        });
        if self.kind.3 {
            object["metadata"]["namespace"] = json!(NAMESPACE);
        }
        if let Some(scaled) = self.get("scales") {
            object["spec"]["scaleTargetRef"] =
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": scaled});
        }
        if self.has("deletes-claims") {
            object["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Delete"});
        }
        Manifest::parse(object, "a.yaml").unwrap()
    }

    fn projection(&self) -> Projection {
        let content = if self.has("changed") { json!("changed") } else { json!(self.content) };
        let replicas = self.get("replicas").map(|text| text.split('/').next().unwrap_or("").to_owned());
        let without_replicas = (self.kind.0 == "Deployment").then(|| key().of_value(&content));
        Projection { full: key().of_value(&json!([content, replicas])), without_replicas }
    }

    fn health(&self) -> Health {
        let message = self.get("says").unwrap_or("0 of 1 replicas are ready").to_owned();
        match self.get("health") {
            None => Health::healthy(),
            Some("Progressing") => Health::progressing(message),
            Some("Suspended") => Health::new(HealthStatus::Suspended, message),
            Some("Failed") => Health::failed(message),
            Some(_) => Health::degraded(message),
        }
    }

    fn live(&self) -> LiveRecord {
        let replicas = self.get("replicas").map(|text| {
            let (wanted, owners) = text.split_once('/').unwrap_or((text, "ours"));
            Replicas {
                wanted: wanted.parse().unwrap(),
                ours: owners.contains("ours"),
                others: owners.contains("others"),
            }
        });
        let application = match self.get("application") {
            None => Some(application("web")),
            Some("none") => None,
            Some(other) => Some(application(other)),
        };
        let tool = self.get("tool").map(|tool| match tool {
            "Helm" => "Helm",
            "Flux" => "Flux",
            _ => "Argo CD",
        });
        let instance = match self.get("instance") {
            None if application.is_none() => None,
            None => Some("shop".into()),
            Some(other) => Some(other.into()),
        };
        LiveRecord {
            uid: self.get("uid").map_or_else(|| self.uid(), str::to_owned).into(),
            resource_version: ResourceVersion::new("10"),
            generation: Some(1),
            projection: (!self.has("unapplied")).then(|| self.projection()),
            replicas,
            owned_version: Some(self.api_version().into()),
            health: self.health(),
            application,
            instance,
            tool,
            adoptable: self.has("adoptable"),
            terminating: self.get("terminating").map(|finalizer| {
                Some(finalizer.to_owned()).filter(|one| !one.is_empty()).into_iter().collect()
            }),
            extras: self.get("extra").map(extra).into_iter().collect(),
            body: None,
        }
    }

    fn head_object(&self, protected: bool) -> HeadObject {
        HeadObject {
            api_version: self.api_version(),
            uid: self.uid(),
            desired: self.desired(),
            projection: self.projection(),
            leaving: self.has("leaving"),
            keep: self.has("keep"),
            protected,
        }
    }

    fn desired(&self) -> KeyedHash {
        key().of_value(&self.manifest().object)
    }
}

fn extra(text: &str) -> ExtraField {
    let (field, manager) = text.split_once(" by ").unwrap_or((text, "kubectl-edit"));
    ExtraField { field: field.to_owned(), manager: manager.to_owned(), time: None }
}

fn key() -> HashKey {
    HashKey::new([7; 32])
}

fn application(service: &str) -> ApplicationId {
    ApplicationId::new("dev".parse().unwrap(), service.parse().unwrap())
}

fn set_of(tokens: &[Token]) -> WantedSet {
    WantedSet::new(&RenderedSet::new(tokens.iter().map(Token::manifest).collect()), &key())
}

fn version(digest: Digest) -> Version {
    let config = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    Version { commit: None, chart: None, image: None, images: Vec::new(), config, digest }
}

/// What a case gives.
#[expect(clippy::struct_excessive_bools, reason = "each is a word that a case has or has not")]
pub(super) struct Situation {
    wanted: Option<Vec<Token>>,
    other_wanted: Option<Wanted>,
    deployed: Option<Vec<Token>>,
    live: Vec<(bool, Token)>,
    head: BTreeMap<String, String>,
    version: BTreeMap<String, String>,
    policy: SyncPolicy,
    pending: Option<(Vec<Token>, BTreeMap<String, String>)>,
    applied: Vec<Token>,
    running: Option<u64>,
    failure: Option<(Failure, u64)>,
    heals: Vec<(Token, u32)>,
    others: Others,
    suspended: bool,
    unblocked: bool,
    newer_commands: bool,
    recorded: Recorded,
    cluster: String,
    unserved: BTreeSet<String>,
    namespace_missing: bool,
    incomplete: bool,
    unreadable: BTreeSet<GroupKind>,
    found: Vec<HoldReason>,
    confirmed: Vec<Digest>,
    /// Whether a person confirms what the plan asks for.
    pub(super) confirms: bool,
}

impl Situation {
    pub(super) fn new() -> Self {
        Self {
            wanted: None,
            other_wanted: None,
            deployed: None,
            live: Vec::new(),
            head: BTreeMap::new(),
            version: BTreeMap::new(),
            policy: SyncPolicy::default(),
            pending: None,
            applied: Vec::new(),
            running: None,
            failure: None,
            heals: Vec::new(),
            others: Others { wanted: BTreeMap::new(), all_known: true },
            suspended: false,
            unblocked: false,
            newer_commands: false,
            recorded: Recorded::Rollout(0),
            cluster: "cluster-1".to_owned(),
            unserved: BTreeSet::new(),
            namespace_missing: false,
            incomplete: false,
            unreadable: BTreeSet::new(),
            found: Vec::new(),
            confirmed: Vec::new(),
            confirms: false,
        }
    }

    /// The time of every case.
    pub(super) fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    pub(super) fn confirm(&mut self, plans: Vec<Digest>) {
        self.confirmed = plans;
    }

    /// Takes one line of a case.
    pub(super) fn take(&mut self, line: &str) -> Understood<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "wanted" => self.take_wanted(rest)?,
            "deployed" => self.deployed = Some(tokens(rest)?),
            "live" => self.take_live(rest)?,
            "head" => self.head.extend(pairs(rest)),
            "version" => self.version.extend(pairs(rest)),
            "policy" => self.take_policy(rest)?,
            "pending" => {
                let (objects, pairs): (Vec<&str>, Vec<&str>) = words(rest)
                    .into_iter()
                    .partition(|word| word.contains('/') && !word.contains("created="));
                self.pending = Some((tokens(&objects.join(" "))?, self::pairs(&pairs.join(" "))));
            }
            "running" => self.running = Some(number(rest)?),
            "applied" => self.applied = tokens(rest)?,
            "failed" => self.failure = Some(failure(rest)?),
            "healed" => {
                let (token, times) = rest.split_once(' ').ok_or("how often?")?;
                self.heals.push((Token::parse(token)?, u32::try_from(number(times)?).unwrap()));
            }
            "others" if rest == "unknown" => self.others.all_known = false,
            "others" => {
                let (token, owner) = rest.split_once(' ').ok_or("who?")?;
                self.others.wanted.insert(Token::parse(token)?.id(), application(owner));
            }
            "commands" => match rest {
                "suspend" => self.suspended = true,
                "confirm" => self.confirms = true,
                "unblock" => self.unblocked = true,
                "newer" => self.newer_commands = true,
                other => return Err(format!("no command {other}")),
            },
            "recorded" => {
                self.recorded = match rest {
                    "unknown" => Recorded::Unknown,
                    "newer" => Recorded::WrittenByNewer("its record is of format 2".to_owned()),
                    text => Recorded::Rollout(number(text)?),
                }
            }
            "cluster" => rest.clone_into(&mut self.cluster),
            "unserved" => self.unserved.extend(words(rest).into_iter().map(str::to_owned)),
            "namespace" => self.namespace_missing = rest == "missing",
            "incomplete" => self.incomplete = true,
            "unreadable" => {
                let kind = KINDS.iter().find(|known| known.0 == rest).ok_or("which kind?")?;
                self.unreadable.insert(GroupKind::new(kind.1, kind.0));
            }
            "found" => self.found.push(hold(rest)?),
            other => return Err(format!("no word {other}")),
        }
        Ok(())
    }

    fn take_wanted(&mut self, rest: &str) -> Understood<()> {
        match rest.split_once(' ').unwrap_or((rest, "")) {
            ("nothing", _) => self.other_wanted = Some(Wanted::NeverPromoted),
            ("removed", _) => self.other_wanted = Some(Wanted::Removed),
            ("held", name) => self.other_wanted = Some(Wanted::Held(vec![hold(name)?])),
            _ => self.wanted = Some(tokens(rest)?),
        }
        Ok(())
    }

    fn take_live(&mut self, rest: &str) -> Understood<()> {
        for word in words(rest) {
            let (there, text) = word.strip_prefix('-').map_or((true, word), |text| (false, text));
            self.live.push((there, Token::parse(text)?));
        }
        Ok(())
    }

    fn take_policy(&mut self, rest: &str) -> Understood<()> {
        for (name, value) in pairs(rest) {
            match (name.as_str(), value.as_str()) {
                ("selfHeal", value) => self.policy.self_heal = value == "true",
                ("prune", value) => self.policy.prune = value == "true",
                ("timeout", value) => self.policy.timeout = Duration::from_secs(number(value)?),
                ("onFailure", "leave") => self.policy.on_failure = OnFailure::Leave,
                ("extras", "remove") => self.policy.extras = Extras::Remove,
                ("pruneKinds", value) => self.policy.prune_kinds = vec![value.to_owned()],
                other => return Err(format!("no option {other:?}")),
            }
        }
        Ok(())
    }

    /// The whole picture.
    pub(super) fn observation(&self) -> Observation {
        let (wanted, digest) = self.wanted();
        let head = self.head(digest);
        let mut observation = Observation {
            application: application("web"),
            instance: "shop".parse().unwrap(),
            now: Self::now(),
            time: Self::now(),
            wanted: Arc::new(wanted),
            pending: self.pending(head.as_ref()),
            head: head.map(|head| StoredHead { head, resource_version: "5".to_owned() }),
            recorded: self.recorded.clone(),
            progress: Progress::default(),
            cluster: Cluster { uid: self.cluster.clone(), kinds: Arc::new(self.kinds()) },
            live: self.live(),
            others: self.others.clone(),
            commands: self.commands(digest),
            holds: self.found.clone(),
        };
        self.history(&mut observation);
        observation
    }

    fn wanted(&self) -> (Wanted, Option<Digest>) {
        let Some(tokens) = &self.wanted else {
            return (self.other_wanted.clone().unwrap_or(Wanted::NeverPromoted), None);
        };
        let set = set_of(tokens);
        let digest = set.digest;
        let text = |name: &str, default: &str| self.version.get(name).cloned().unwrap_or(default.to_owned());
        let wanted = WantedVersion {
            version: version(digest),
            inputs: Digest::of(b"inputs"),
            set: Arc::new(set),
            policy: self.policy.clone(),
            namespace: text("namespace", NAMESPACE).parse().unwrap(),
            namespace_labels: BTreeMap::new(),
            release: text("release", "web"),
            adopt: self.version.contains_key("adopt"),
            moves_with_others: self.version.contains_key("moves-with-others"),
        };
        (Wanted::Version(Box::new(wanted)), Some(digest))
    }

    fn head(&self, wanted: Option<Digest>) -> Option<Head> {
        if self.deployed.is_none() && self.head.is_empty() {
            return None;
        }
        let tokens = self.deployed.clone().unwrap_or_default();
        let staying: Vec<Token> = tokens.iter().filter(|token| !token.has("leaving")).cloned().collect();
        let protected = set_of(&tokens);
        let entry = |token: &Token| {
            let protected = protected.get(&token.id()).is_some_and(|object| object.protected);
            (token.id(), token.head_object(protected))
        };
        let set = set_of(&staying);
        let blocked = self.head.get("blocked").map(|which| Blocked {
            version: version(wanted.filter(|_| which != "other").unwrap_or(Digest::of(b"other"))),
            diagnosis: "pod web-1: exit code 1".to_owned(),
            since: Self::now(),
        });
        let created = self.head.get("created").map(|text| tokens_of(text)).unwrap_or_default();
        let text = |name: &str, default: &str| self.head.get(name).cloned().unwrap_or(default.to_owned());
        Some(Head {
            format: HEAD_FORMAT,
            instance: "shop".parse().unwrap(),
            rollout: 3,
            wanted: None,
            deployed: self.deployed.is_some().then(|| version(set.digest)),
            previous: None,
            blocked,
            inputs: None,
            slot: self.deployed.is_some().then_some(Slot::A),
            sync: self.policy.clone(),
            namespace: text("namespace", NAMESPACE).parse().unwrap(),
            namespace_labels: BTreeMap::new(),
            release: text("release", "web"),
            config: "https://example.com/config.git".to_owned(),
            cluster: text("cluster", "cluster-1"),
            rebuilt: self.head.contains_key("rebuilt"),
            objects: tokens.iter().map(entry).collect(),
            created: created.iter().map(|token| (token.id(), token.uid())).collect(),
            pending: Vec::new(),
        })
    }

    fn pending(&self, head: Option<&Head>) -> Option<StoredSet> {
        let (tokens, special) = self.pending.as_ref()?;
        let number = |name: &str| special.get(name).and_then(|text| text.parse::<u64>().ok());
        let created = special.get("created").map(|text| tokens_of(text)).unwrap_or_default();
        Some(StoredSet {
            application: application("web"),
            slot: head.and_then(|head| head.slot).map_or(Slot::A, Slot::other),
            rollout: number("rollout").unwrap_or(head.map_or(1, |head| head.rollout + 1)),
            digest: set_of(tokens).digest,
            objects: tokens.iter().map(Token::id).collect(),
            progress: PendingProgress {
                phase: Phase::Sync,
                wave: special.get("wave").map_or(0, |text| text.parse().unwrap()),
                used_seconds: number("used").unwrap_or(0),
                created: created.iter().map(|token| (token.id(), token.uid())).collect(),
            },
            resource_version: "6".to_owned(),
        })
    }

    /// What is live: as deployed and applied, but for what the case says.
    fn live(&self) -> Live {
        let deployed = self.deployed.iter().flatten().filter(|token| !token.has("missing"));
        let mut objects: BTreeMap<ResourceId, LiveRecord> =
            deployed.chain(&self.applied).map(|token| (token.id(), token.live())).collect();
        for (there, token) in &self.live {
            if *there {
                objects.insert(token.id(), token.live());
            } else {
                objects.remove(&token.id());
            }
        }
        let wanted = self.wanted.as_ref().map(|tokens| set_of(tokens));
        let scaled = wanted.iter().flat_map(|set| &set.objects).filter_map(|one| one.scales.clone());
        Live {
            objects,
            complete: !self.incomplete,
            namespace_exists: !self.namespace_missing,
            scaled: scaled.collect(),
            unreadable: self.unreadable.clone(),
        }
    }

    fn commands(&self, wanted: Option<Digest>) -> Commands {
        let suspension =
            Suspension { reason: "maintenance".to_owned(), until: None, actor: Some("ann".to_owned()) };
        let mut commands = Commands {
            suspension: self.suspended.then_some(suspension),
            written_by_newer: self.newer_commands.then(|| "the commands are of format 2".to_owned()),
            ..Commands::default()
        };
        commands.confirmations.plans.extend(self.confirmed.iter().copied());
        commands.confirmations.unblocked.extend(wanted.filter(|_| self.unblocked));
        commands
    }

    fn kinds(&self) -> KindTable {
        let mut kinds = KindTable::default();
        for (kind, group, version, namespaced) in KINDS.iter().filter(|kind| !self.unserved.contains(kind.0))
        {
            let plural = format!("{}s", kind.to_lowercase());
            kinds.add(GroupKind::new(group, kind), version, &plural, *namespaced, true);
        }
        kinds
    }

    /// What this process did before now.
    fn history(&self, observation: &mut Observation) {
        let before = |seconds: u64| Self::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        observation.now = before(self.running.unwrap_or(0));
        observation.resume();
        let applied = self.applied.iter().map(|token| Effect::Applied {
            object: token.id(),
            reason: ApplyReason::Rollout,
            answer: AppliedObject {
                desired: token.desired(),
                projection: token.projection(),
                uid: token.uid(),
                api_version: token.api_version(),
                created: token.has("created"),
            },
            before: None,
        });
        observation.fold(&Outcome { effects: applied.collect(), writes: 0 });
        for (token, times) in &self.heals {
            for second in (1..=*times).rev() {
                observation.now = before(u64::from(second));
                let manager = token.get("manager").unwrap_or("other").to_owned();
                let value = if token.has("values-differ") { json!(second) } else { json!("theirs") };
                let healed = Effect::Applied {
                    object: token.id(),
                    reason: ApplyReason::Heal,
                    answer: AppliedObject {
                        desired: token.desired(),
                        projection: Token { special: BTreeMap::new(), ..token.clone() }.projection(),
                        uid: token.uid(),
                        api_version: token.api_version(),
                        created: false,
                    },
                    before: Some((manager, "/spec/content".to_owned(), key().of_value(&value))),
                };
                let changed = Effect::Changed { object: token.id(), action: Action::Configured };
                observation.fold(&Outcome { effects: vec![changed, healed], writes: 1 });
            }
        }
        if let Some((failure, seconds)) = &self.failure {
            observation.now = before(*seconds);
            observation.fold(&Outcome { effects: vec![Effect::Failed(failure.clone())], writes: 1 });
        }
        observation.now = Self::now();
    }
}

/// `CAUSE [at OBJECT] [SECONDS ago]`
fn failure(text: &str) -> Understood<(Failure, u64)> {
    let words = words(text);
    let after = |word: &str| words.iter().position(|one| *one == word).and_then(|at| words.get(at + 1));
    let object = after("at").map(|text| Token::parse(text)).transpose()?.map(|token| token.id());
    let seconds = after("since").map_or(Ok(0), |text| number(text))?;
    let owner = FieldOwner { field: ".spec.content".to_owned(), manager: "other".to_owned() };
    let cause = match words.first().copied().unwrap_or("") {
        "unavailable" => FailureCause::Unavailable,
        "standby" => FailureCause::Standby { holder: "moorline-2".to_owned() },
        "forbidden" => FailureCause::Forbidden,
        "quota" => FailureCause::Quota,
        "changed" => FailureCause::Changed,
        "missing" => FailureCause::Missing,
        "rejected" => FailureCause::Rejected,
        "conflict" => FailureCause::Conflict { owners: vec![owner], taken: false, version: None },
        "taken" => {
            FailureCause::Conflict { owners: vec![owner], taken: true, version: Some("11".to_owned()) }
        }
        "set-missing" => FailureCause::SetMissing { digest: Digest::of(b"deployed") },
        "set-unreadable" => FailureCause::SetUnreadable,
        "inventory-changing" => FailureCause::InventoryChanging,
        other => return Err(format!("no cause {other}")),
    };
    Ok((
        Failure { cause, object, message: "the words of the API server".to_owned(), retry_after: None },
        seconds,
    ))
}

fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 0 => {
                words.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

fn tokens(text: &str) -> Understood<Vec<Token>> {
    words(text).into_iter().map(Token::parse).collect()
}

/// Objects joined by `+`, for values.
fn tokens_of(text: &str) -> Vec<Token> {
    text.split('+').map(|one| Token::parse(one).unwrap()).collect()
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.to_owned())
    };
    words(text).into_iter().map(pair).collect()
}

fn number(text: &str) -> Understood<u64> {
    text.trim_end_matches('s').parse().map_err(|_| format!("{text} is no number"))
}

fn hold(name: &str) -> Understood<HoldReason> {
    every_hold().into_iter().find(|hold| hold.name() == name).ok_or_else(|| format!("no reason {name}"))
}

/// One of each reason. A new one is missed here by the compiler.
#[expect(clippy::too_many_lines, reason = "one of each")]
pub(super) fn every_hold() -> Vec<HoldReason> {
    let text = str::to_owned;
    let object: ResourceId = "apps|Deployment|shop-dev|web".parse().unwrap();
    let repository = || "https://example.com/web.git".parse().unwrap();
    let plan = Digest::of(b"plan");
    let all = vec![
        HoldReason::ConfigFault {
            fault: text("services/web.yaml:3:1: no key `taem`"),
            hint: Some(text("team")),
        },
        HoldReason::SourceUnavailable { repository: repository(), message: text("no answer") },
        HoldReason::ChartUnavailable { chart: text("redis 1.0.0"), message: text("no answer") },
        HoldReason::RevisionMissing { repository: repository(), revision: text("branch main") },
        HoldReason::RenderFailed { message: text("templates/a.yaml:1: nil pointer"), hint: None },
        HoldReason::ImageAwaited { image: text("web:1"), commit: text("01234567 by Ann (Fix)") },
        HoldReason::ImageMissing { image: text("web:1"), message: text("there is no image of it") },
        HoldReason::ImageUnknown { image: text("web:1"), message: text("no answer") },
        HoldReason::Rendering,
        HoldReason::Bug { place: text("src/diff.rs:1") },
        HoldReason::Standby { holder: Some(text("moorline-2")) },
        HoldReason::WrittenByNewer { message: text("the head is of format 2") },
        HoldReason::HookUnsupported { object: object.clone() },
        HoldReason::ClusterUnknown { cluster: text("prod") },
        HoldReason::OtherCluster { was: text("one"), is: text("two"), plan },
        HoldReason::ApiUnavailable { message: text("no answer") },
        HoldReason::Forbidden { message: text("may not list secrets") },
        HoldReason::KindUnknown { object: object.clone(), api_version: text("apps/v1") },
        HoldReason::NotAllowed { object: object.clone(), line: text("allow: {namespaces: [other]}") },
        HoldReason::LookupNotAllowed { question: text("Secret other/a"), line: None },
        HoldReason::OtherInstance { object: object.clone(), instance: text("other") },
        HoldReason::OtherApplication { object: object.clone(), application: text("dev/api") },
        HoldReason::OtherTool { object: object.clone(), tool: "Helm" },
        HoldReason::FieldConflict { object: object.clone(), field: text(".spec"), manager: text("other") },
        HoldReason::Contested {
            object: object.clone(),
            field: text("/spec"),
            manager: text("other"),
            until: Situation::now(),
        },
        HoldReason::Blocked { diagnosis: text("exit code 1") },
        HoldReason::Retrying { message: text("quota"), until: Situation::now() },
        HoldReason::PruneGuard { why: text("too much"), objects: vec![object.clone()], plan },
        HoldReason::PruneDisabled { objects: vec![object.clone()] },
        HoldReason::EnvironmentShrunk { why: text("dev would lose 3 of its 4 applications"), plan },
        HoldReason::Moves { from: text("a/web"), to: text("b/web"), plan },
        HoldReason::Terminating { object, finalizers: Vec::new() },
        HoldReason::StateUnavailable { message: text("no answer") },
        HoldReason::InventoryUnreadable { message: text("no key `head`") },
        HoldReason::SetMissing { digest: plan },
    ];
    for hold in &all {
        // When this match misses one, add it above too.
        match hold {
            HoldReason::ConfigFault { .. }
            | HoldReason::SourceUnavailable { .. }
            | HoldReason::ChartUnavailable { .. }
            | HoldReason::RevisionMissing { .. }
            | HoldReason::RenderFailed { .. }
            | HoldReason::ImageAwaited { .. }
            | HoldReason::ImageMissing { .. }
            | HoldReason::ImageUnknown { .. }
            | HoldReason::Rendering
            | HoldReason::Bug { .. }
            | HoldReason::Standby { .. }
            | HoldReason::WrittenByNewer { .. }
            | HoldReason::HookUnsupported { .. }
            | HoldReason::ClusterUnknown { .. }
            | HoldReason::OtherCluster { .. }
            | HoldReason::ApiUnavailable { .. }
            | HoldReason::Forbidden { .. }
            | HoldReason::KindUnknown { .. }
            | HoldReason::NotAllowed { .. }
            | HoldReason::LookupNotAllowed { .. }
            | HoldReason::OtherInstance { .. }
            | HoldReason::OtherApplication { .. }
            | HoldReason::OtherTool { .. }
            | HoldReason::FieldConflict { .. }
            | HoldReason::Contested { .. }
            | HoldReason::Blocked { .. }
            | HoldReason::Retrying { .. }
            | HoldReason::PruneGuard { .. }
            | HoldReason::PruneDisabled { .. }
            | HoldReason::EnvironmentShrunk { .. }
            | HoldReason::Moves { .. }
            | HoldReason::Terminating { .. }
            | HoldReason::StateUnavailable { .. }
            | HoldReason::InventoryUnreadable { .. }
            | HoldReason::SetMissing { .. } => {}
        }
    }
    all
}
