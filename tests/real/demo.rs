//! The demo as a newcomer meets it: on a pseudo-terminal, each printed line pasted into a shell.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::shop::eventually;

/// The demo on a terminal that `script` (util-linux) makes.
struct Demo {
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl Demo {
    fn start() -> Self {
        let program = format!("{} demo", env!("CARGO_BIN_EXE_moorline"));
        let mut child = Command::new("script")
            .args(["-qfec", &program, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let shown: Arc<Mutex<String>> = Arc::default();
        let sink = shown.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                sink.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, shown }
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().replace('\r', "")
    }

    /// The line below a title.
    fn line(&self, title: &str) -> String {
        let shown = self.shown();
        let after =
            shown.split_once(&format!("# {title}\n")).unwrap_or_else(|| panic!("no {title}: {shown}")).1;
        after.lines().next().unwrap().trim().to_owned()
    }

    /// Pastes the line below a title into a shell.
    fn paste(&self, title: &str) -> Output {
        let output = shell(&self.line(title));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{title}: {}: {words}", self.line(title));
        output
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shell(line: &str) -> Output {
    let kubectl = std::path::PathBuf::from(std::env::var_os("MOORLINE_KUBECTL").unwrap());
    let folder = kubectl.parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", line]).env("PATH", path).env_remove("KUBECONFIG").output().unwrap()
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn each_printed_thing_to_try_works_as_printed() {
    let mut demo = Demo::start();
    eventually("it says something", || !demo.shown().is_empty());
    eventually("the things to try are printed", || demo.shown().contains("# read what was recorded"));
    eventually("all is green", || demo.shown().contains("6 of 6 deployed and healthy"));
    let running = demo.paste("see what runs");
    assert!(String::from_utf8_lossy(&running.stdout).contains("deployment.apps/shop"), "{running:?}");

    let folder = demo.line("see what runs").split_once("--kubeconfig ").unwrap().1.to_owned();
    let folder = folder.split_once("/kubeconfig").unwrap().0.to_owned();
    let kubectl = |arguments: &str| {
        let output = shell(&format!("kubectl --kubeconfig {folder}/kubeconfig {arguments}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shop = |environment: &str, path: &str| {
        kubectl(&format!("-n blue-{environment} get deployment shop -o jsonpath='{{{path}}}'"))
    };
    let image = ".spec.template.spec.containers[0].image";
    let greeting = ".spec.template.spec.containers[0].env[0].value";

    demo.paste("break something, and see it healed");
    eventually("the replicas are back", || shop("dev", ".spec.replicas") == "2");
    demo.paste("delete something, and see it come back");
    eventually("the config map is back", || kubectl("-n blue-dev get configmap greeter").contains("greeter"));
    demo.paste("commit a change");
    eventually("the greeting is new", || shop("dev", greeting) == "good evening");
    demo.paste("revert it");
    eventually("the greeting is as before", || shop("dev", greeting) == "hello from dev");
    demo.paste("commit code: dev waits for its image");
    eventually("it is awaited", || {
        let status = demo.paste("ask for the state, without the daemon");
        String::from_utf8_lossy(&status.stdout).contains("awaiting: waits for the image")
    });
    demo.paste("push the image, as CI would by docker push: dev follows");
    let head = String::from_utf8(shell(&format!("git -C {folder}/code rev-parse HEAD")).stdout).unwrap();
    eventually("dev runs the commit", || shop("dev", image).contains(head.trim()));
    assert!(!shop("prod", image).contains(head.trim()));
    demo.paste("promote it to prod by a pin");
    eventually("prod runs it too", || shop("prod", image).contains(head.trim()));
    demo.paste("push a bad image, and see it held while the old one runs on");
    eventually("it is held", || {
        let status = demo.paste("ask for the state, without the daemon");
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        text.contains("Blocked") && text.contains("greeter:missing")
    });
    let greeter = kubectl("-n blue-dev get deployment greeter");
    assert!(greeter.contains("1/1"), "the old one runs on: {greeter}");
    demo.paste("take it back");
    eventually("all is green again", || {
        let status = demo.paste("ask for the state, without the daemon");
        !String::from_utf8_lossy(&status.stdout).contains("Blocked")
    });
    // Records are pushed behind the rollouts. A change that is taken back before its rollout ended has none of its own.
    eventually("all of it is recorded", || {
        let recorded = demo.paste("read what was recorded");
        let recorded = String::from_utf8_lossy(&recorded.stdout).into_owned();
        recorded.lines().count() > 4
            && recorded.contains("prod/shop: deployed")
            && recorded.contains("dev/greeter: blocked")
    });

    demo.child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    eventually("it ended", || !std::path::Path::new(&folder).exists());
    demo.child.wait().unwrap();
}
