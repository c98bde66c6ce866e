//! Applications rendered side by side, each only when an input changed; what their charts look up is asked of the
//! cluster between two renders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt as _;
use rayon::prelude::*;
use tokio::task::JoinHandle;

use super::answering::{answer, endless, too_much, unanswered};
use super::chance::chance;
use super::shelf::Shelf;
use crate::adapters::clock::{Beating, Entropy};
use crate::adapters::cluster::ClusterRead;
use crate::adapters::workers::{self, Workers};
use crate::desired::{Application, ConfigRepository, Origin, Supply};
use crate::diff::LookedUp;
use crate::helm::{Chance, Lookup, Pulse, Remembered, TimeLimit};
use crate::inventory::PackedSet;
use crate::model::chart::ChartNeed;
use crate::model::digest::{Digest, HashKey};
use crate::model::hold::HoldReason;
use crate::model::kinds::KindTable;
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::source::{CommitSha, FileTree};
use crate::reconciler::Options;
use crate::render::{self, Answers, Needs, Outcome, RenderInput, Rendered, Seen, WantedCode};
use crate::source::Ring;
use crate::sync::WantedSet;
use crate::telemetry::Metrics;

/// A chart may look up what earlier answers named, so many times over.
pub(super) const LOOKUP_ROUNDS: usize = 8;
/// A render may take so many tenths of a second.
const LONGEST: u64 = 300;
/// A render may ask so many questions.
const LOOKUPS: usize = 200;
/// So many questions are asked at once.
const PARALLEL: usize = 8;
/// So many renders are begun at once; how many run, the workers say.
const RENDERS: usize = 64;
/// The answers of one application may take so many bytes.
const ANSWER_BYTES: usize = 8 << 20;

/// The result of rendering, packed: what is kept of it while nothing is done with it.
#[derive(Clone, Debug)]
pub struct PackedRendering {
    /// The objects without their bodies.
    pub set: Arc<WantedSet>,
    /// The bodies.
    pub packed: PackedSet,
    /// The chart as `name-version`.
    pub chart: Option<String>,
    /// The references of its images.
    pub images: Vec<String>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// Whether it holds stand-ins for what would be drawn.
    pub stands_in: bool,
    /// Helm's own documents, if they were asked for.
    pub helm: Option<crate::helm::Rendered>,
}

impl PackedRendering {
    fn pack(rendered: &Rendered, key: &HashKey, kept: Arc<Remembered>) -> Self {
        Self {
            set: Arc::new(WantedSet::new(&rendered.set, key)),
            packed: PackedSet::pack(&rendered.set).with_drawn(kept),
            stands_in: rendered.stands_in,
            chart: rendered.chart.clone(),
            images: rendered.images.clone(),
            notices: rendered.notices.clone(),
            helm: None,
        }
    }
}

/// What rendering has to know of an environment's cluster.
#[derive(Clone)]
pub struct ClusterView {
    /// What it serves.
    pub kinds: Arc<KindTable>,
    /// Its version, as `v1.37.2`.
    pub version: String,
    /// The key of the fingerprints.
    pub key: HashKey,
    /// Where `lookup` of charts is answered.
    pub cluster: Arc<dyn ClusterRead>,
    /// What charts drew before; absent where our rights do not show it.
    pub drawn: Option<Arc<BTreeMap<ApplicationId, Arc<Remembered>>>>,
}

/// The clusters that are known.
#[derive(Clone, Default)]
pub struct ClusterViews {
    /// By context.
    pub connected: BTreeMap<Option<String>, ClusterView>,
    /// Whether what has no cluster waits for it; else it is rendered without one.
    pub awaited: bool,
}

impl ClusterViews {
    /// Whether an application of this context can be rendered.
    pub(super) fn has(&self, context: Option<&String>) -> bool {
        !self.awaited || self.connected.contains_key(&context.cloned())
    }
}

/// An application with everything that rendering needs.
pub(super) struct Prepared {
    pub(super) application: Arc<Application>,
    pub(super) code: WantedCode,
    pub(super) config: CommitSha,
    pub(super) source: Arc<ConfigRepository>,
    pub(super) files: FileTree,
}

/// What all applications of a reading share.
pub(super) struct Setting {
    pub(super) instance: InstanceName,
    pub(super) options: Options,
    pub(super) views: ClusterViews,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    /// By which renders know how long they take; it beats while this lives.
    pub(super) pulse: Pulse,
    pub(super) _beating: Beating,
    /// For values that are drawn anew at every render.
    pub(super) entropy: Arc<dyn Entropy>,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

/// The result of rendering one application.
pub(super) type Result = std::result::Result<Arc<PackedRendering>, HoldReason>;

/// Renders, and remembers.
pub(super) struct Renderer {
    workers: Workers,
    /// Rings when a render that took long has ended; absent where renders are waited for.
    ring: Option<Ring>,
    memo: HashMap<ApplicationId, Arc<Memo>>,
    /// Renders that take long: they go on beside later readings.
    long: HashMap<ApplicationId, LongRender>,
}

/// A render that takes long.
struct LongRender {
    /// The digest of its inputs; a reading with other inputs gives it up.
    base: Digest,
    end: JoinHandle<Stepped>,
}

impl Drop for LongRender {
    fn drop(&mut self) {
        self.end.abort();
    }
}

/// An application after a round; or where its render broke off.
type Stepped = std::result::Result<(Work, Step), String>;

/// What is known of an application's last render.
struct Memo {
    /// The digest of the inputs without answers of the cluster.
    base: Digest,
    /// The digest of all inputs.
    inputs: Digest,
    /// What the chart asked, and was told.
    answers: Answers,
    /// The charts that it asked for.
    charts: BTreeSet<ChartNeed>,
    /// What it asked of the cluster's discovery.
    seen: Seen,
    /// What it drew.
    drawn: Remembered,
    /// That, and what earlier versions drew.
    kept: Arc<Remembered>,
    result: Result,
}

/// An application on its way through the rounds.
struct Work {
    one: Arc<Prepared>,
    view: Option<ClusterView>,
    base: Digest,
    answers: Answers,
    supply: Supply,
    chance: Chance,
    seed: [u8; 32],
}

/// What a round made of it.
enum Step {
    Done(Box<Made>),
    Asks(Needs),
}

/// A finished render.
struct Made {
    inputs: Digest,
    seen: Seen,
    drawn: Remembered,
    kept: Arc<Remembered>,
    result: Result,
}

impl Made {
    fn held(work: &Work, hold: HoldReason) -> Box<Self> {
        let (drawn, kept) = (Remembered::default(), Arc::default());
        Box::new(Self { inputs: work.base, seen: Seen::everything(), drawn, kept, result: Err(hold) })
    }
}

impl Renderer {
    /// Nothing rendered yet.
    pub(super) fn new(workers: Workers, ring: Option<Ring>) -> Self {
        Self { workers, ring, memo: HashMap::new(), long: HashMap::new() }
    }

    /// Every application whose chart looked something up from Secrets, or drew it.
    pub(super) fn all_looked_up(&self) -> BTreeMap<ApplicationId, LookedUp> {
        let all = self.memo.keys().map(|id| (id.clone(), self.looked_up(id)));
        all.filter(|(_, looked_up)| !looked_up.is_empty()).collect()
    }

    /// What an application's chart looked up from Secrets, or drew.
    pub(super) fn looked_up(&self, application: &ApplicationId) -> LookedUp {
        let Some(memo) = self.memo.get(application) else { return LookedUp::default() };
        let mut hidden = LookedUp::from_secrets(memo.answers.values());
        memo.kept.secrets().for_each(|text| hidden.add(text));
        hidden
    }

    /// Renders all of them; gives each with the digest of its inputs. What takes long is held and goes on.
    pub(super) async fn render(
        &mut self,
        prepared: Vec<Prepared>,
        shelf: &mut Shelf,
        setting: &Arc<Setting>,
    ) -> Vec<(Arc<Prepared>, Digest, Result)> {
        let mut work = self.begin(prepared, setting).await;
        let known: BTreeSet<&ApplicationId> = work.iter().map(|work| &work.one.application.id).collect();
        self.long.retain(|id, _| known.contains(id));
        self.take_charts(&mut work, shelf).await;
        let mut work = self.ask_again(work, setting).await;
        let mut results = Vec::with_capacity(work.len());
        for round in 0..=LOOKUP_ROUNDS {
            let (steps, held) = self.round(work, setting).await;
            results.extend(held);
            let mut asking = Vec::new();
            for (work, step) in steps {
                match step {
                    Step::Done(made) => results.push(self.keep(work, *made)),
                    Step::Asks(questions) if round < LOOKUP_ROUNDS => asking.push((work, questions)),
                    Step::Asks(_) => {
                        let made = Made::held(&work, endless());
                        results.push(self.keep(work, *made));
                    }
                }
            }
            let (asking, lacking) = supply_all(asking, shelf).await;
            for (work, hold) in lacking {
                let made = Made::held(&work, hold);
                results.push(self.keep(work, *made));
            }
            let mut again = Vec::new();
            for (work, hold) in answer_all(asking, &setting.options).await {
                match hold {
                    None => again.push(work),
                    Some(hold) => {
                        let made = Made::held(&work, hold);
                        results.push(self.keep(work, *made));
                    }
                }
            }
            work = again;
            if work.is_empty() {
                break;
            }
        }
        results
    }

    /// The digests of all inputs, by all cores.
    async fn begin(&self, prepared: Vec<Prepared>, setting: &Arc<Setting>) -> Vec<Work> {
        let with_memo = |one: Prepared| {
            let memo = self.memo.get(&one.application.id).cloned();
            (Arc::new(one), memo)
        };
        let prepared: Vec<_> = prepared.into_iter().map(with_memo).collect();
        let setting = setting.clone();
        let begun = move || {
            let new =
                |(one, memo): (Arc<Prepared>, Option<Arc<Memo>>)| Work::new(one, &setting, memo.as_deref());
            prepared.into_par_iter().map(new).collect::<Vec<_>>()
        };
        self.workers.finish(begun).await.unwrap_or_else(|place| {
            tracing::error!(panic.place = %place, "Reading broke off");
            Vec::new()
        })
    }

    /// One step of each application, side by side; those that take long, or break off, are held.
    async fn round(
        &mut self,
        work: Vec<Work>,
        setting: &Arc<Setting>,
    ) -> (Vec<(Work, Step)>, Vec<(Arc<Prepared>, Digest, Result)>) {
        let (mut steps, mut held, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for work in work {
            let (one, base) = (work.one.clone(), work.base);
            match self.long_end(&one.application.id, base).await {
                None => new.push(work),
                Some(None) => held.push((one, base, Err(HoldReason::Rendering))),
                Some(Some(Ok(step))) => steps.push(step),
                Some(Some(Err(place))) => held.push((one, base, Err(HoldReason::Bug { place }))),
            }
        }
        let step = |work: Work| {
            let memo = self.memo.get(&work.one.application.id).cloned();
            let (one, base, setting) = (work.one.clone(), work.base, setting.clone());
            let workers = self.workers.clone();
            async move {
                let step = move || {
                    let step = work.step(&setting, memo.as_deref());
                    (work, step)
                };
                (one, base, workers.work(step).await)
            }
        };
        let mut ended = futures::stream::iter(new.into_iter().map(step)).buffer_unordered(RENDERS);
        let mut long = Vec::new();
        while let Some((one, base, end)) = ended.next().await {
            match end {
                workers::Work::Done(Ok(step)) => steps.push(step),
                workers::Work::Done(Err(place)) => held.push((one, base, Err(HoldReason::Bug { place }))),
                workers::Work::Long(render) => long.push((one, base, render)),
            }
        }
        drop(ended);
        for (one, base, render) in long {
            let Some(ring) = self.ring.clone() else {
                match render.end().await {
                    Ok(step) => steps.push(step),
                    Err(place) => held.push((one, base, Err(HoldReason::Bug { place }))),
                }
                continue;
            };
            let end = tokio::spawn(async move {
                let end = render.end().await;
                ring();
                end
            });
            self.long.insert(one.application.id.clone(), LongRender { base, end });
            held.push((one, base, Err(HoldReason::Rendering)));
        }
        (steps, held)
    }

    /// The end of a render that takes long: nothing if there is none of these inputs, nothing inside while it goes on.
    async fn long_end(&mut self, id: &ApplicationId, base: Digest) -> Option<Option<Stepped>> {
        let long = self.long.get_mut(id)?;
        if long.base != base {
            self.long.remove(id);
            return None;
        }
        if !long.end.is_finished() {
            return Some(None);
        }
        let end = (&mut long.end).await.unwrap_or_else(|error| Err(error.to_string()));
        self.long.remove(id);
        Some(Some(end))
    }

    fn keep(&mut self, work: Work, made: Made) -> (Arc<Prepared>, Digest, Result) {
        let Work { one, base, answers, supply, .. } = work;
        self.long.remove(&one.application.id);
        let Made { inputs, seen, drawn, mut kept, result } = made;
        if let (Err(_), Some(memo)) = (&result, self.memo.get(&one.application.id)) {
            // What does not render now may render again: what was drawn is not lost meanwhile.
            kept = memo.kept.clone();
        }
        let id = one.application.id.clone();
        let charts = supply.into_keys().collect();
        let memo = Memo { base, inputs, answers, charts, seen, drawn, kept, result: result.clone() };
        self.memo.insert(id, Arc::new(memo));
        (one, inputs, result)
    }

    /// The charts that are known to be needed, those of last time among them, are there before the first round.
    async fn take_charts(&self, work: &mut [Work], shelf: &mut Shelf) {
        let needs_of = |work: &Work| -> BTreeSet<ChartNeed> {
            let memo = self.memo.get(&work.one.application.id).filter(|memo| memo.base == work.base);
            let known = memo.into_iter().flat_map(|memo| memo.charts.iter().cloned());
            let own = match &work.one.application.origin {
                Origin::Released(need) => Some(need.clone()),
                _ => None,
            };
            known.chain(own).collect()
        };
        let needs: Vec<BTreeSet<ChartNeed>> = work.iter().map(needs_of).collect();
        shelf.bring(&needs.iter().flatten().cloned().collect()).await;
        for (work, needs) in work.iter_mut().zip(&needs).filter(|(_, needs)| !needs.is_empty()) {
            work.supply = shelf.supply_of(needs);
        }
    }

    /// What a chart asked last time is asked again before it is rendered: the cluster may answer differently now.
    async fn ask_again(&self, work: Vec<Work>, setting: &Setting) -> Vec<Work> {
        let (mut quiet, mut asking) = (Vec::with_capacity(work.len()), Vec::new());
        for work in work {
            let memo = self.memo.get(&work.one.application.id).filter(|memo| memo.base == work.base);
            match memo.filter(|memo| !memo.answers.is_empty()) {
                Some(memo) => asking.push((work, memo.answers.keys().cloned().collect())),
                None => quiet.push(work),
            }
        }
        // Where the cluster does not answer now, the render asks once more and reports it.
        quiet.extend(answer_all(asking, &setting.options).await.into_iter().map(|(work, _)| work));
        quiet
    }
}

impl Work {
    fn new(one: Arc<Prepared>, setting: &Setting, memo: Option<&Memo>) -> Self {
        let view = setting.views.connected.get(&one.application.cluster).cloned();
        let (answers, supply) = (Answers::new(), Supply::new());
        let (chance, seed) = chance(&one.application, view.as_ref(), memo.map(|memo| &*memo.kept), setting);
        let mut work = Self { one, view, base: Digest::of(b""), answers, supply, chance, seed };
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method's own lifetime is too narrow"
        )]
        let base = work.with_input(setting, |input| input.digest());
        work.base = base;
        work
    }

    fn with_input<T>(&self, setting: &Setting, then: impl FnOnce(&RenderInput<'_>) -> T) -> T {
        let (one, view, nothing) = (&self.one, self.view.as_ref(), FileTree::default());
        let environment = one.source.environments.get(&one.application.id.environment);
        then(&RenderInput {
            instance: &setting.instance,
            own_namespace: &setting.options.own_namespace,
            application: &one.application,
            umbrella: environment.and_then(|environment| environment.umbrella.as_ref()),
            folder: environment.map_or(&nothing, |environment| &environment.folder),
            files: &one.files,
            code: &one.code,
            kinds: view.map(|view| &*view.kinds),
            kubernetes: view.map(|view| view.version.as_str()),
            supply: &self.supply,
            lookups: view.map(|_| &self.answers),
            chance: self.chance.clone(),
            seed: self.seed,
            now: setting.now,
            time: Some(TimeLimit { pulse: setting.pulse.clone(), beats: LONGEST, words: "30 seconds" }),
        })
    }

    fn step(&self, setting: &Setting, memo: Option<&Memo>) -> Step {
        self.with_input(setting, |input| {
            let inputs = input.digest();
            let known = match &self.chance {
                Chance::Remembered(known) => known.clone(),
                Chance::Fresh | Chance::StandIns => Arc::default(),
            };
            let all = |seen: &Seen, drawn: &Remembered| {
                Digest::of_parts([
                    inputs.hex().as_bytes(),
                    input.facts(seen).hex().as_bytes(),
                    &drawn.digest(),
                ])
            };
            // The same as last time, if all that was asked and drawn then would be the same now.
            if let Some(memo) =
                memo.filter(|memo| memo.inputs == all(&memo.seen, &known.of_sites(&memo.drawn)))
            {
                return Step::Done(Box::new(Made {
                    inputs: memo.inputs,
                    seen: memo.seen.clone(),
                    drawn: memo.drawn.clone(),
                    kept: memo.kept.clone(),
                    result: memo.result.clone(),
                }));
            }
            setting.metrics.rendered(&input.application.id.environment);
            match render::render(input) {
                Ok(Outcome::Needs(needs)) => Step::Asks(needs),
                Ok(Outcome::Rendered(rendered)) => {
                    let inputs = all(&rendered.seen, &rendered.drawn);
                    let kept = Arc::new(known.after(&rendered.drawn));
                    let result = self.pack(&rendered, input, setting, kept.clone());
                    Step::Done(Box::new(Made {
                        inputs,
                        seen: rendered.seen,
                        drawn: rendered.drawn,
                        kept,
                        result,
                    }))
                }
                Err(error) => {
                    let held = Made::held(self, error.hold());
                    Step::Done(Box::new(Made { inputs: all(&held.seen, &held.drawn), ..*held }))
                }
            }
        })
    }

    fn pack(
        &self,
        rendered: &Rendered,
        input: &RenderInput<'_>,
        setting: &Setting,
        kept: Arc<Remembered>,
    ) -> Result {
        // Without a cluster nothing is compared with it: any key will do.
        let key = self.view.as_ref().map_or_else(|| HashKey::new([0; 32]), |view| view.key.clone());
        let mut packed = PackedRendering::pack(rendered, &key, kept);
        if setting.options.as_helm {
            packed.helm = Some(render::render_as_helm(input).map_err(|error| error.hold())?);
        }
        Ok(Arc::new(packed))
    }

    /// Where the chart is asked for, or lists what it depends on.
    fn place_of_chart(&self) -> String {
        let service = &self.one.application.id.service;
        match &self.one.application.origin {
            Origin::Chart { path } => {
                let code = self.one.application.code.as_ref().map(|code| code.repository.to_string());
                format!("{path}/Chart.yaml of {}", code.unwrap_or_default())
            }
            _ => match self.one.source.services.get(service) {
                Some(known) => known.place_of(service, &["chart"]),
                None => format!("services/{service}.yaml"),
            },
        }
    }

    /// Finds the answers to what it asks.
    async fn answer(&mut self, questions: BTreeSet<Lookup>, own: &NamespaceName) -> Option<HoldReason> {
        let cluster = self.view.as_ref()?.cluster.clone();
        if self.answers.len() + questions.len() > LOOKUPS {
            return Some(too_much(&format!("more than {LOOKUPS} questions")));
        }
        let ask = |question: Lookup| {
            let cluster = cluster.clone();
            async move {
                let answer = answer(&*cluster, &question, own).await;
                (question, answer)
            }
        };
        let mut answers = futures::stream::iter(questions.into_iter().map(ask)).buffer_unordered(PARALLEL);
        while let Some((question, answer)) = answers.next().await {
            match answer {
                Ok(answer) => self.answers.insert(question, answer),
                Err(error) => return Some(unanswered(&question, &error)),
            };
        }
        let bytes: usize = self.answers.values().map(|answer| answer.to_string().len()).sum();
        (bytes > ANSWER_BYTES).then(|| too_much(&format!("more than {} MiB", ANSWER_BYTES >> 20)))
    }
}

/// Brings the charts that are asked for; what cannot be brought holds who asks.
async fn supply_all(
    asking: Vec<(Work, Needs)>,
    shelf: &mut Shelf,
) -> (Vec<(Work, BTreeSet<Lookup>)>, Vec<(Work, HoldReason)>) {
    shelf.bring(&asking.iter().flat_map(|(_, needs)| needs.dependencies.iter().cloned()).collect()).await;
    let (mut supplied, mut lacking) = (Vec::new(), Vec::new());
    for (mut work, needs) in asking {
        let found = shelf.supply_of(&needs.dependencies);
        match needs.dependencies.iter().find(|need| !found.contains_key(*need)) {
            Some(need) => {
                let hold = shelf.hold(need, &work.place_of_chart());
                lacking.push((work, hold));
            }
            None => {
                work.supply.extend(found);
                supplied.push((work, needs.lookups));
            }
        }
    }
    (supplied, lacking)
}

/// Asks for all of them, side by side.
async fn answer_all(
    asking: Vec<(Work, BTreeSet<Lookup>)>,
    options: &Options,
) -> Vec<(Work, Option<HoldReason>)> {
    let answers = asking.into_iter().map(|(mut work, questions)| async move {
        let hold = work.answer(questions, &options.own_namespace).await;
        (work, hold)
    });
    futures::stream::iter(answers).buffer_unordered(PARALLEL).collect().await
}
