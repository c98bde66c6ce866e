//! Drift → healed, moorline's daemon beside the shortest loop that watches and applies. Both are seen by the same
//! observer: from the moment before the intruder's request to the event of the restored object.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::bare::{apply, client, paths, send};
use crate::fleet::{self, Fleet};
use crate::measure::quantile;
use crate::parts::control_plane::ControlPlane;

/// What an intruder does: the kind, the way, the field that tells, its foreign value.
const INTRUSIONS: [(&str, &str, &str); 10] = [
    ("ConfigMap", "edit", "/data/colour"),
    ("Deployment", "edit", "/spec/revisionHistoryLimit"),
    ("Role", "edit", "/rules"),
    ("Service", "edit", "/metadata/labels/app.kubernetes.io~1name"),
    ("ConfigMap", "unset", "/data/settings.toml"),
    ("Secret", "unset", "/data/password"),
    ("Deployment", "unset", "/metadata/annotations/bench.moorline.dev~1team"),
    ("ConfigMap", "delete", ""),
    ("ServiceAccount", "delete", ""),
    ("Service", "delete", ""),
];

type Seen = (String, Option<Value>);

/// An intruder with the observer of what it did, beside the bare healer.
struct Scene {
    intruder: Client,
    events: UnboundedReceiver<Seen>,
}

impl Scene {
    async fn open(plane: &ControlPlane, applications: usize) -> Self {
        let intruder = client(plane, "intruder/1").await;
        let (sender, events) = unbounded_channel::<Seen>();
        for kind in fleet::KINDS {
            let (client, sender) = (client(plane, "observer/1").await, sender.clone());
            tokio::spawn(watch(client, kind, "bench.moorline.dev/fleet".to_owned(), sender));
        }
        let healer = client(plane, "bare/1").await;
        for kind in fleet::KINDS {
            tokio::spawn(heal(healer.clone(), kind, applications));
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        Self { intruder, events }
    }
}

/// Heals of the first application, one intrusion at a time, while nothing else goes on and then while all others are
/// rolled out. The bare loop heals beside the same rollouts.
pub(crate) async fn compare_busy(plane: &ControlPlane, ours: &Fleet, trials: usize) {
    let mut scene = Scene::open(plane, ours.applications()).await;
    println!("heals of one application, ms:");
    let quiet = edits(&mut scene, ours, trials, || true).await;
    report_both("quiet", quiet);
    ours.commit_all_but_first("blue");
    let audit = crate::measure::Audit::of(plane);
    let started = Instant::now();
    let rolls_out = || {
        let heads = audit.requests("moorline/");
        heads.iter().filter(|request| request.resource == "configmaps" && request.verb == "update").count()
            < ours.applications() - 1
    };
    let busy = edits(&mut scene, ours, usize::MAX, rolls_out).await;
    let took = started.elapsed().as_secs_f64();
    println!("  {} others rolled out within {took:.1} s", ours.applications() - 1);
    report_both("while the others roll out", busy);
}

/// Edits of the first application of both fleets in turn, while `goes_on`.
async fn edits(
    scene: &mut Scene,
    ours: &Fleet,
    trials: usize,
    goes_on: impl Fn() -> bool,
) -> BTreeMap<&'static str, Vec<f64>> {
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for trial in (0..trials).take_while(|trial| trial % 10 != 0 || goes_on()) {
        let who = if matches!(trial % 4, 0 | 3) { &*ours.name } else { "bare" };
        while scene.events.try_recv().is_ok() {}
        let what = ("Role", "edit", "/rules");
        match intrude(&scene.intruder, &mut scene.events, (who, 0), what, trial).await {
            Some(time) => {
                times.entry(if who == "bare" { "bare" } else { "moorline" }).or_default().push(time);
            }
            None => println!("  not healed within 10 s: {who}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times
}

fn report_both(scene: &str, times: BTreeMap<&'static str, Vec<f64>>) {
    for (who, mut times) in times {
        report(format!("{who}, {scene}"), &mut times);
    }
}

/// Prints the quantiles; gives the median and the ninety-ninth of a hundred.
fn report(name: String, times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(times, 0.5), quantile(times, 0.99));
    println!(
        "  {name}: n {} p50 {p50:.1} p90 {:.1} p99 {p99:.1} max {:.1}",
        times.len(),
        quantile(times, 0.9),
        quantile(times, 1.0)
    );
    (p50, p99)
}

/// Alternates trials of the two, and prints both.
pub(crate) async fn compare(plane: &ControlPlane, ours: &Fleet, trials: usize) {
    let Scene { intruder, mut events } = Scene::open(plane, ours.applications()).await;
    let mut times: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut lost = 0;
    for trial in 0..trials * 2 {
        // A B B A.
        let who = if matches!(trial % 4, 0 | 3) { &*ours.name } else { "bare" };
        let (kind, way, field) = INTRUSIONS[trial / 2 % INTRUSIONS.len()];
        let application = trial / 2 % ours.applications();
        while events.try_recv().is_ok() {}
        match intrude(&intruder, &mut events, (who, application), (kind, way, field), trial).await {
            Some(time) => {
                let who = if who == "bare" { "bare" } else { "moorline" };
                times.entry((who, way)).or_default().push(time);
                all.entry(who).or_default().push(time);
            }
            None => {
                println!("  not healed within 10 s: {who} {kind} {way}");
                lost += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(40 + trial as u64 * 7 % 30)).await;
    }
    println!("drift → healed, ms ({lost} lost):");
    for ((who, way), mut times) in times {
        report(format!("{who} {way}"), &mut times);
    }
    let results: Vec<(f64, f64)> =
        all.into_iter().map(|(who, mut times)| report(format!("{who} all"), &mut times)).collect();
    if let [bare, ours] = results.as_slice() {
        println!("  ratio: p50 {:.2}, p99 {:.2}", ours.0 / bare.0, ours.1 / bare.1);
    }
}

async fn intrude(
    client: &Client,
    events: &mut UnboundedReceiver<Seen>,
    (fleet, application): (&str, usize),
    (kind, way, field): (&str, &str, &str),
    trial: usize,
) -> Option<f64> {
    let object = desired(fleet, application, kind);
    let path = paths(&object).0;
    let foreign = match field {
        "/rules" => json!([{"apiGroups": [""], "resources": [format!("pods-{trial}")], "verbs": ["get"]}]),
        "/spec/revisionHistoryLimit" => json!(5 + trial),
        _ => json!(format!("intruder-{trial}")),
    };
    let started = Instant::now();
    let before = match way {
        "delete" => send(client, "DELETE", &path, "application/json", b"{}".to_vec()).await,
        _ => {
            let verb = if way == "edit" { "replace" } else { "remove" };
            let patch = json!([{"op": verb, "path": field, "value": foreign}]);
            let url = format!("{path}?fieldManager=kubectl-edit");
            send(client, "PATCH", &url, "application/json-patch+json", patch.to_string().into_bytes()).await
        }
    };
    let version = |value: &Value| {
        value.pointer("/metadata/resourceVersion").and_then(Value::as_str)?.parse::<u64>().ok()
    };
    let changed = version(&before);
    let restored = |live: &Value| match way {
        "delete" => true,
        _ => live.pointer(field) == object.pointer(field) && version(live) > changed,
    };
    let mut gone = way != "delete";
    loop {
        let (seen, live) = tokio::time::timeout(Duration::from_secs(10), events.recv()).await.ok()??;
        if seen != path {
            continue;
        }
        match live {
            None => gone = true,
            Some(live) if gone && restored(&live) => return Some(started.elapsed().as_secs_f64() * 1000.0),
            Some(_) => {}
        }
    }
}

fn desired(fleet: &str, application: usize, kind: &str) -> Value {
    let objects = fleet::objects(fleet, application, "green");
    objects.into_iter().find(|object| object["kind"] == kind).unwrap()
}

fn stream_of(
    client: Client,
    kind: &'static str,
    selector: &str,
) -> stream::BoxStream<'static, watcher::Event<DynamicObject>> {
    let sample = desired("x", 0, kind);
    let version = sample["apiVersion"].as_str().unwrap();
    let (group, short) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource {
        group: group.to_owned(),
        version: short.to_owned(),
        api_version: version.to_owned(),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
    };
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    watcher(api, watcher::Config::default().labels(selector))
        .default_backoff()
        .filter_map(|event| async { event.ok() })
        .boxed()
}

fn typed(object: DynamicObject, kind: &str) -> Value {
    let mut value = serde_json::to_value(object).unwrap();
    value["kind"] = json!(kind);
    value["apiVersion"] = desired("x", 0, kind)["apiVersion"].clone();
    value
}

async fn watch(
    client: Client,
    kind: &'static str,
    selector: String,
    sender: tokio::sync::mpsc::UnboundedSender<Seen>,
) {
    let mut events = stream_of(client, kind, &selector);
    while let Some(event) = events.next().await {
        let seen = match event {
            watcher::Event::Apply(object) => {
                let object = typed(object, kind);
                (paths(&object).0, Some(object))
            }
            watcher::Event::Delete(object) => (paths(&typed(object, kind)).0, None),
            _ => continue,
        };
        if sender.send(seen).is_err() {
            return;
        }
    }
}

/// The shortest healer: on each event, whatever of the desired object differs is applied anew.
async fn heal(client: Client, kind: &'static str, applications: usize) {
    let objects: BTreeMap<String, Value> = (0..applications)
        .map(|application| desired("bare", application, kind))
        .map(|object| (paths(&object).0, object))
        .collect();
    let mut events = stream_of(client.clone(), kind, "bench.moorline.dev/fleet=bare");
    while let Some(event) = events.next().await {
        let (live, gone) = match event {
            watcher::Event::Apply(object) => (typed(object, kind), false),
            watcher::Event::Delete(object) => (typed(object, kind), true),
            _ => continue,
        };
        if let Some(object) = objects.get(&paths(&live).0)
            && (gone || !contains(&live, object))
        {
            apply(&client, object).await;
        }
    }
}

/// Whether all that one value says stands in the other.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| live.get(key).is_some_and(|live| contains(live, wanted)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        _ => live == wanted,
    }
}
