//! Many small applications in one config repository, and the same objects for the bare loop.

use std::process::{Command, Stdio};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::measure::Request;
use crate::parts::control_plane::ControlPlane;
use crate::parts::git_repository::BareRepository;

/// Environments, each with a namespace of its own.
const ENVIRONMENTS: usize = 4;
/// Objects of one application.
pub(crate) const KINDS: [&str; 6] =
    ["ServiceAccount", "Secret", "ConfigMap", "Role", "Service", "Deployment"];

pub(crate) struct Fleet {
    folder: TempDir,
    pub(crate) name: String,
    applications: usize,
    config: BareRepository,
    state: BareRepository,
}

/// The namespace of an application.
pub(crate) fn namespace(fleet: &str, application: usize) -> String {
    format!("{fleet}-e{}", application % ENVIRONMENTS)
}

/// The namespaces of a fleet.
pub(crate) fn namespaces(fleet: &str) -> Vec<String> {
    (0..ENVIRONMENTS).map(|number| namespace(fleet, number)).collect()
}

/// The name of an application and of its objects.
pub(crate) fn name(application: usize) -> String {
    format!("app-{application:04}")
}

/// The objects of one application. Deployments want no replicas: their health is the controller's word alone.
pub(crate) fn objects(fleet: &str, application: usize, colour: &str) -> Vec<Value> {
    let name = name(application);
    let metadata = json!({"name": name, "namespace": namespace(fleet, application),
        "labels": {"app.kubernetes.io/name": name, "bench.moorline.dev/fleet": fleet},
        "annotations": {"bench.moorline.dev/team": "a team that looks after this application"}});
    let settings = format!("listen = 8080\nname = {name}\nworkers = 4\nlog = info\n").repeat(4);
    let rest = |kind: &str| match kind {
        "Secret" => json!({"type": "Opaque", "data": {"password": "aHVudGVyMi1odW50ZXIyLWh1bnRlcjI="}}),
        "ConfigMap" => json!({"data": {"colour": colour, "settings.toml": settings}}),
        "Role" => json!({"rules": [
            {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "watch"]}]}),
        "Service" => json!({"spec": {"selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}}),
        "Deployment" => json!({"spec": {"replicas": 0, "revisionHistoryLimit": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": name,
                "containers": [{"name": "main", "image": "example.com/main:1",
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "env": [{"name": "NAME", "value": name}, {"name": "MODE", "value": "production"}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}}]}}}}),
        _ => json!({}),
    };
    let group = |kind: &str| match kind {
        "Role" => "rbac.authorization.k8s.io/v1",
        "Deployment" => "apps/v1",
        _ => "v1",
    };
    let whole = |kind: &str| {
        let mut object = json!({"apiVersion": group(kind), "kind": kind, "metadata": metadata});
        if let (Value::Object(object), Value::Object(rest)) = (&mut object, rest(kind)) {
            object.extend(rest);
        }
        object
    };
    KINDS.map(whole).into()
}

fn manifest(fleet: &str, application: usize, colour: &str) -> String {
    let documents: Vec<String> =
        objects(fleet, application, colour).iter().map(ToString::to_string).collect();
    documents.join("\n---\n")
}

fn manifest_path(application: usize) -> String {
    format!("k8s/{}/all.yaml", name(application))
}

impl Fleet {
    pub(crate) fn create(fleet: &str, applications: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = BareRepository::create(&folder.path().join("config.git"));
        let state = BareRepository::create(&folder.path().join("state.git"));
        let environments: String = (0..ENVIRONMENTS)
            .map(|number| format!("  e{number}: {{branch: main, namespace: {fleet}-e{number}}}\n"))
            .collect();
        let mut files = vec![(
            "moorline.yaml".to_owned(),
            format!("version: 1\nname: {fleet}\nenvironments:\n{environments}"),
        )];
        for application in 0..applications {
            let name = name(application);
            let service = format!("team: {fleet}\nmanifests: {{path: k8s/{name}}}\n");
            files.push((format!("services/{name}.yaml"), service));
            files.push((format!("environments/e{}/{name}.yaml", application % ENVIRONMENTS), String::new()));
            files.push((manifest_path(application), manifest(fleet, application, "green")));
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        config.commit("main", &files);
        Self { folder, name: fleet.to_owned(), applications, config, state }
    }

    pub(crate) fn objects(&self) -> usize {
        self.applications * KINDS.len()
    }

    pub(crate) fn applications(&self) -> usize {
        self.applications
    }

    /// The program itself on this fleet.
    pub(crate) fn command(&self, plane: &ControlPlane, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
        command.args(arguments).arg("--config").arg(self.config.path()).arg("--state").arg(self.state.path());
        command.arg("--kubeconfig").arg(plane.kubeconfig());
        command.arg("--data-dir").arg(self.folder.path().join("data"));
        command.args(["--own-namespace", &format!("{}-moorline", self.name)]);
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    /// What must be true of a cold sync, or its figures mean nothing: each object is written exactly once.
    pub(crate) fn verify(&self, requests: &[Request]) {
        let applied = requests.iter().filter(|request| request.is_apply_to(&self.name)).count();
        let expected = self.objects();
        if applied != expected {
            println!("  NOTE: {applied} applies for {expected} objects");
        }
        let failed: Vec<&Request> =
            requests.iter().filter(|request| request.mutates && request.code >= 400).collect();
        if let Some(first) = failed.first() {
            println!("  NOTE: {} refused writes, the first {first:?}", failed.len());
        }
    }

    /// Changes all applications but the first.
    pub(crate) fn commit_all_but_first(&self, colour: &str) {
        let change = |application| (manifest_path(application), manifest(&self.name, application, colour));
        let files: Vec<(String, String)> = (1..self.applications).map(change).collect();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        self.config.commit("main", &files);
    }

    /// Changes one application; the time of the push.
    pub(crate) fn commit_one(&self, trial: usize) -> Timestamp {
        let application = (trial * 7 + 3) % self.applications;
        let text = manifest(&self.name, application, &format!("colour-{trial}"));
        self.config.commit("main", &[(manifest_path(application).as_str(), text.as_str())]);
        Timestamp::now()
    }
}
