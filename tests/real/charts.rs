//! Charts that are not vendored, beside the real helm: the same versions, the same bytes, the same lock; from a
//! repository with an index, from a registry, from a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use moorline::helm::{Chart, Engine, RenderInput};

use crate::parts::git_repository::BareRepository;
use crate::parts::program;
use crate::parts::registry::Registry;

/// A folder served over HTTP until the test ends.
fn serve(folder: &Path) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(file).with_state(Arc::new(folder.to_owned()));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    place
}

async fn file(State(folder): State<Arc<PathBuf>>, request: Request) -> Response<Body> {
    let path = folder.join(request.uri().path().trim_start_matches('/'));
    match fs::read(path) {
        Ok(bytes) => Response::new(Body::from(bytes)),
        Err(_) => Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap(),
    }
}

fn helm(arguments: &[&str]) -> Output {
    Command::new(program("MOORLINE_HELM4")).args(arguments).output().unwrap()
}

fn helped(arguments: &[&str]) -> String {
    let output = helm(arguments);
    assert!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Packages a chart whose ConfigMap tells name and version.
fn package(folder: &Path, into: &Path, name: &str, version: &str, kind: &str) -> PathBuf {
    let place = folder.join(format!("{name}-{version}")).join(name);
    fs::create_dir_all(place.join("templates")).unwrap();
    let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\ntype: {kind}\n");
    fs::write(place.join("Chart.yaml"), about).unwrap();
    fs::write(place.join("values.yaml"), "colour: red\n").unwrap();
    let (file, text) = if kind == "library" {
        ("_lib.tpl", format!("{{{{ define \"{name}.mark\" }}}}{name}-{version}{{{{ end }}}}"))
    } else {
        (
            "map.yaml",
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Chart.Name }}}}}}\ndata: {{version: \"{version}\", colour: {{{{ .Values.colour }}}}, mark: {{{{ include \"lib.mark\" . }}}}}}\n"
            ),
        )
    };
    fs::write(place.join("templates").join(file), text).unwrap();
    helped(&["package", place.to_str().unwrap(), "--destination", into.to_str().unwrap()]);
    into.join(format!("{name}-{version}.tgz"))
}

struct Shop {
    folder: tempfile::TempDir,
    umbrella: PathBuf,
    files: Vec<(String, String)>,
}

impl Shop {
    fn new(dependencies: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let umbrella = folder.path().join("config/environments/dev");
        fs::create_dir_all(&umbrella).unwrap();
        let mut shop = Self { folder, umbrella, files: Vec::new() };
        shop.write(
            "moorline.yaml",
            "version: 1\nname: shop\nenvironments: {dev: {namespace: dev}}\ndefaults: {release: shop}\n",
        );
        shop.write(
            "environments/dev/Chart.yaml",
            &format!("apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n{dependencies}"),
        );
        shop
    }

    fn write(&mut self, path: &str, text: &str) {
        let file = self.folder.path().join("config").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self.files.retain(|(other, _)| other != path);
        self.files.push((path.to_owned(), text.to_owned()));
    }

    /// Runs `moorline render dev --as-helm` on what is committed, which holds nothing that helm vendored.
    fn render(&self, settings: &str) -> Output {
        let repository = self.folder.path().join("config.git");
        fs::remove_dir_all(&repository).ok();
        let files: Vec<(&str, &str)> =
            self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let bare = BareRepository::create(&repository);
        bare.commit("main", &files);
        let file = self.folder.path().join("settings.yaml");
        fs::write(&file, settings).unwrap();
        Command::new(env!("CARGO_BIN_EXE_moorline"))
            .args(["render", "dev", "--as-helm", "--config"])
            .arg(&repository)
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .arg("--settings")
            .arg(file)
            .output()
            .unwrap()
    }

    fn by_helm(&self) -> String {
        let umbrella = self.umbrella.to_str().unwrap();
        helped(&["template", "shop", umbrella, "--namespace", "dev", "--include-crds"])
    }
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
#[ignore = "needs helm and a registry"]
fn umbrellas_render_as_after_helm_dependency_update() {
    let work = tempfile::tempdir().unwrap();
    let stable = work.path().join("served/stable");
    fs::create_dir_all(&stable).unwrap();
    for version in ["1.2.0", "1.10.1", "2.0.0", "1.11.0-rc.1"] {
        package(work.path(), &stable, "web", version, "application");
    }
    helped(&["repo", "index", stable.to_str().unwrap()]);
    let repository = serve(&work.path().join("served")) + "/stable";
    let registry = Registry::start();
    let charts = format!("oci://{}/team/charts", registry.host());
    for (name, version, kind) in
        [("db", "3.1.0+build.7", "application"), ("db", "3.0.9", "application"), ("lib", "0.4.2", "library")]
    {
        let archive = package(work.path(), work.path(), name, version, kind);
        helped(&["push", archive.to_str().unwrap(), &charts, "--plain-http"]);
    }
    let mut shop = Shop::new(&format!(
        "- {{name: web, version: ^1.2, repository: '{repository}'}}\n- {{name: web, version: 2.0.0, repository: '{repository}', alias: front}}\n- {{name: db, version: ~3.1, repository: '{charts}'}}\n- {{name: lib, version: '*', repository: '{charts}'}}\n- {{name: own, version: 0.1.0, repository: 'file://../../charts/own'}}\n"
    ));
    shop.write("charts/own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 0.1.0\n");
    shop.write("charts/own/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\ndata: {mark: {{ include \"lib.mark\" . }}}\n");
    shop.write("environments/dev/values.yaml", "front: {colour: green}\n");
    let ours = printed(&shop.render(""));
    helped(&["dependency", "update", shop.umbrella.to_str().unwrap(), "--plain-http"]);
    assert_eq!(ours, shop.by_helm());
    assert!(ours.contains("1.10.1") && ours.contains("3.1.0+build.7"), "{ours}");
    // Helm's own lock is honoured: an older version in it stays, until the list changes.
    let lock = fs::read_to_string(shop.umbrella.join("Chart.lock")).unwrap();
    shop.write("environments/dev/Chart.lock", &lock);
    package(work.path(), &stable, "web", "1.12.0", "application");
    helped(&["repo", "index", stable.to_str().unwrap()]);
    assert_eq!(printed(&shop.render("")), ours);
    let chart = fs::read_to_string(shop.umbrella.join("Chart.yaml")).unwrap();
    shop.write("environments/dev/Chart.yaml", &chart.replace("^1.2", "^1.1"));
    let stale = shop.render("");
    let words = String::from_utf8_lossy(&stale.stderr).into_owned();
    assert!(!stale.status.success() && words.contains("Chart.lock: is out of sync"), "{words}");
    let refused = helm(&["dependency", "build", shop.umbrella.to_str().unwrap(), "--plain-http"]);
    assert!(!refused.status.success(), "helm takes the lock for fresh");
}

#[test]
#[ignore = "needs helm and a registry"]
fn a_registry_that_asks_who_we_are_is_told_by_the_settings_alone() {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("templates/t.yaml", "line: {{ htpasswd \"me\" \"canary\" }}\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
    let rendered =
        Engine::default().render(&Chart::from_files(files).unwrap(), &RenderInput::default()).unwrap();
    let registry = Registry::start_closed(rendered.documents[0].object["line"].as_str().unwrap());
    let charts = format!("oci://{}/charts", registry.host());
    let work = tempfile::tempdir().unwrap();
    let archive = package(work.path(), work.path(), "lib", "0.4.2", "library");
    let known = registry.helm_configuration("me:canary");
    let known = known.to_str().unwrap();
    helped(&["push", archive.to_str().unwrap(), &charts, "--plain-http", "--registry-config", known]);
    let mut shop = Shop::new(&format!("- {{name: lib, version: ^0.4, repository: '{charts}'}}\n"));
    shop.write("environments/dev/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\ndata: {mark: {{ include \"lib.mark\" . }}}\n");
    let stranger = shop.render("");
    let words = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(!stranger.status.success() && words.contains("refuses access"), "{words}");
    let password = work.path().join("password");
    fs::write(&password, "canary\n").unwrap();
    let settings = format!(
        "credentials:\n- {{prefix: 'oci://{}', username: me, passwordFile: '{}'}}\n",
        registry.host(),
        password.display()
    );
    let ours = shop.render(&settings);
    assert!(printed(&ours).contains("lib-0.4.2"));
    assert!(!format!("{ours:?}").contains("canary"));
}
