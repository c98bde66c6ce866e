//! A fleet: three environments, each an umbrella of a thousand children of Helm's default kind, read and rendered as
//! the daemon does it, and again after a commit to one child.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline::model::source::FileTree;
use moorline::reconciler::observe::{ClusterViews, Desired, Observer};
use moorline_doubles::MemoryWorld;

use crate::passes::{config, options};
use crate::{milliseconds, timed};

const ENVIRONMENTS: [&str; 3] = ["dev", "rc", "prod"];

const HELPERS: &str = r#"{{- define "web.name" -}}{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}{{- end }}
{{- define "web.labels" -}}
app.kubernetes.io/name: {{ include "web.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
"#;
const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicaCount }}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ .Release.Name }}
  template:
    metadata:
      {{- with .Values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- include "web.labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          ports:
            - {name: http, containerPort: {{ .Values.service.port }}, protocol: TCP}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
"#;
const SERVICE: &str = r#"apiVersion: v1
kind: Service
metadata:
  name: {{ include "web.name" . }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  type: {{ .Values.service.type }}
  ports:
    - {port: {{ .Values.service.port }}, targetPort: http, protocol: TCP, name: http}
  selector:
    app.kubernetes.io/instance: {{ .Release.Name }}
"#;
const ACCOUNT: &str = r#"{{- if .Values.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "web.name" . }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
{{- end }}
"#;
const VALUES: &str = "replicaCount: 1\nimage: {repository: nginx, tag: \"\"}\nnameOverride: \"\"\nserviceAccount: {create: true}\npodAnnotations: {a: b}\nservice: {type: ClusterIP, port: 80}\nresources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 100m, memory: 128Mi}}\n";

fn files(children: usize) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let stages: String =
        ENVIRONMENTS.iter().map(|name| format!("  {name}: {{namespace: {name}}}\n")).collect();
    files.insert("moorline.yaml".to_owned(), format!("version: 1\nname: bench\nenvironments:\n{stages}"));
    for environment in ENVIRONMENTS {
        let folder = format!("environments/{environment}");
        let mut dependencies = String::new();
        for number in 0..children {
            let name = format!("web-{number:04}");
            let chart = format!("{folder}/charts/{name}");
            dependencies += &format!("- {{name: {name}, version: 1.0.0}}\n");
            files.insert(
                format!("{chart}/Chart.yaml"),
                format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: \"1.16\"\n"),
            );
            for (path, text) in [
                ("values.yaml", VALUES),
                ("templates/_helpers.tpl", HELPERS),
                ("templates/deployment.yaml", DEPLOYMENT),
                ("templates/service.yaml", SERVICE),
                ("templates/account.yaml", ACCOUNT),
            ] {
                // The helpers of each child are its own, as in charts that grew apart.
                files.insert(format!("{chart}/{path}"), text.replace("web.", &format!("{name}.")));
            }
        }
        files.insert(
            format!("{folder}/Chart.yaml"),
            format!("apiVersion: v2\nname: {environment}\nversion: 0.1.0\ndependencies:\n{dependencies}"),
        );
    }
    files
}

/// Reads the config repository, then renders; gives both times and how many applications were rendered.
fn pass(world: &MemoryWorld, observer: &mut Observer, applications: usize) -> (Duration, Duration, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = world.metrics.rendered_in_all();
    let (reading, ()) = timed(|| runtime.block_on(observer.read_config(None)).unwrap());
    let (rendering, result) =
        timed(|| runtime.block_on(observer.read(None, &BTreeMap::new(), &ClusterViews::default())));
    let rendered = result.desired.values().filter(|one| matches!(one, Desired::Rendered(_))).count();
    assert_eq!(rendered, applications);
    (reading, rendering, world.metrics.rendered_in_all() - before)
}

pub(crate) fn measure() {
    let children =
        std::env::var("MOORLINE_BENCH_CHILDREN").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    println!("== a fleet: {} environments, each an umbrella of {children} charts", ENVIRONMENTS.len());
    let world = MemoryWorld::default();
    let mut files = files(children);
    let mut observer = Observer::new(world.world(), options());
    let applications = children * ENVIRONMENTS.len();
    for what in ["cold", "nothing changed", "one child changed", "a value of one environment changed"] {
        match what {
            "one child changed" => {
                let path = "environments/rc/charts/web-0007/values.yaml".to_owned();
                files.insert(path, VALUES.replace("replicaCount: 1", "replicaCount: 2"));
            }
            "a value of one environment changed" => {
                files.insert("environments/rc/values.yaml".to_owned(), "global: {a: 1}\n".to_owned());
            }
            _ => {}
        }
        world.repositories.commit(&config(), "main", FileTree::from_contents(files.iter()));
        let (reading, rendering, renders) = pass(&world, &mut observer, applications);
        println!(
            "{what}: read in {:.0} ms, {renders} rendered in {:.0} ms",
            milliseconds(reading),
            milliseconds(rendering)
        );
    }
}
