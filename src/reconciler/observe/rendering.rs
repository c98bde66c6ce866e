//! Applications rendered side by side, each only when an input changed; what their charts look up is asked of the
//! cluster between two renders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt as _;
use rayon::prelude::*;

use super::answering::{answer, endless, too_much, unanswered};
use super::chance::chance;
use super::shelf::Shelf;
use crate::adapters::clock::Entropy;
use crate::adapters::cluster::ClusterRead;
use crate::desired::{Application, ConfigRepository, Origin, Supply};
use crate::diff::LookedUp;
use crate::helm::{Chance, Lookup, Pulse, Remembered, TimeLimit};
use crate::model::chart::ChartNeed;
use crate::model::digest::{Digest, HashKey};
use crate::model::hold::HoldReason;
use crate::model::kinds::KindTable;
use crate::model::name::{ApplicationId, InstanceName, NamespaceName};
use crate::model::source::{CommitSha, FileTree};
use crate::reconciler::Options;
use crate::reconciler::inventory::PackedSet;
use crate::render::{self, Answers, Needs, Outcome, RenderInput, Rendered, Seen, WantedCode};
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
    /// The image reference.
    pub image: Option<String>,
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
            image: rendered.image.clone(),
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

/// The view of the cluster behind a context; absent if there is none.
pub type ClusterViews<'a> = dyn Fn(Option<&str>) -> Option<ClusterView> + Sync + 'a;

/// An application with everything that rendering needs.
pub(super) struct Prepared {
    pub(super) application: Arc<Application>,
    pub(super) code: WantedCode,
    pub(super) config: CommitSha,
    pub(super) source: Arc<ConfigRepository>,
    pub(super) files: FileTree,
}

/// What all applications of a reading share.
pub(super) struct Setting<'a> {
    pub(super) instance: &'a InstanceName,
    pub(super) options: &'a Options,
    pub(super) views: &'a ClusterViews<'a>,
    /// What is counted.
    pub(super) metrics: &'a Metrics,
    /// By which renders know how long they take.
    pub(super) pulse: Pulse,
    /// For values that are drawn anew at every render.
    pub(super) entropy: &'a dyn Entropy,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

/// The result of rendering one application.
pub(super) type Result = std::result::Result<Arc<PackedRendering>, HoldReason>;

/// Renders, and remembers.
#[derive(Default)]
pub(super) struct Renderer {
    memo: HashMap<ApplicationId, Memo>,
}

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
    one: Prepared,
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
    /// What an application's chart looked up from Secrets, or drew.
    pub(super) fn looked_up(&self, application: &ApplicationId) -> LookedUp {
        let Some(memo) = self.memo.get(application) else { return LookedUp::default() };
        let mut hidden = LookedUp::from_secrets(memo.answers.values());
        memo.kept.secrets().for_each(|text| hidden.add(text));
        hidden
    }

    /// Renders all of them; gives each with the digest of its inputs.
    pub(super) async fn render(
        &mut self,
        prepared: Vec<Prepared>,
        shelf: &mut Shelf,
        setting: &Setting<'_>,
    ) -> Vec<(Prepared, Digest, Result)> {
        let new = |one: Prepared| {
            let memo = self.memo.get(&one.application.id);
            Work::new(one, setting, memo)
        };
        let mut work = prepared.into_par_iter().map(new).collect::<Vec<_>>();
        self.take_charts(&mut work, shelf).await;
        let mut work = self.ask_again(work, setting).await;
        let mut results = Vec::with_capacity(work.len());
        for round in 0..=LOOKUP_ROUNDS {
            let steps: Vec<(Work, Step)> = work
                .into_par_iter()
                .map(|work| {
                    let step = work.step(setting, self.memo.get(&work.one.application.id));
                    (work, step)
                })
                .collect();
            let mut asking = Vec::new();
            for (work, step) in steps {
                match step {
                    Step::Done(made) => results.push((work, made)),
                    Step::Asks(questions) if round < LOOKUP_ROUNDS => asking.push((work, questions)),
                    Step::Asks(_) => {
                        let made = Made::held(&work, endless());
                        results.push((work, made));
                    }
                }
            }
            let (asking, lacking) = supply_all(asking, shelf).await;
            results.extend(lacking.into_iter().map(|(work, hold)| {
                let made = Made::held(&work, hold);
                (work, made)
            }));
            let answered = answer_all(asking, setting.options).await;
            let (answered, failed): (Vec<_>, Vec<_>) =
                answered.into_iter().partition(|(_, hold)| hold.is_none());
            results.extend(failed.into_iter().filter_map(|(work, hold)| {
                let made = Made::held(&work, hold?);
                Some((work, made))
            }));
            work = answered.into_iter().map(|(work, _)| work).collect();
            if work.is_empty() {
                break;
            }
        }
        results.into_iter().map(|(work, made)| self.keep(work, *made)).collect()
    }

    fn keep(&mut self, work: Work, made: Made) -> (Prepared, Digest, Result) {
        let Work { one, base, answers, supply, .. } = work;
        let Made { inputs, seen, drawn, mut kept, result } = made;
        if let (Err(_), Some(memo)) = (&result, self.memo.get(&one.application.id)) {
            // What does not render now may render again: what was drawn is not lost meanwhile.
            kept = memo.kept.clone();
        }
        let id = one.application.id.clone();
        let charts = supply.into_keys().collect();
        self.memo
            .insert(id, Memo { base, inputs, answers, charts, seen, drawn, kept, result: result.clone() });
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
    async fn ask_again(&self, work: Vec<Work>, setting: &Setting<'_>) -> Vec<Work> {
        let (mut quiet, mut asking) = (Vec::with_capacity(work.len()), Vec::new());
        for work in work {
            let memo = self.memo.get(&work.one.application.id).filter(|memo| memo.base == work.base);
            match memo.filter(|memo| !memo.answers.is_empty()) {
                Some(memo) => asking.push((work, memo.answers.keys().cloned().collect())),
                None => quiet.push(work),
            }
        }
        // Where the cluster does not answer now, the render asks once more and reports it.
        quiet.extend(answer_all(asking, setting.options).await.into_iter().map(|(work, _)| work));
        quiet
    }
}

impl Work {
    fn new(one: Prepared, setting: &Setting<'_>, memo: Option<&Memo>) -> Self {
        let view = (setting.views)(one.application.cluster.as_deref());
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

    fn with_input<T>(&self, setting: &Setting<'_>, then: impl FnOnce(&RenderInput<'_>) -> T) -> T {
        let (one, view, nothing) = (&self.one, self.view.as_ref(), FileTree::default());
        let environment = one.source.environments.get(&one.application.id.environment);
        then(&RenderInput {
            instance: setting.instance,
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

    fn step(&self, setting: &Setting<'_>, memo: Option<&Memo>) -> Step {
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
        setting: &Setting<'_>,
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
