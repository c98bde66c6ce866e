//! `moorline sandbox`: an embedded Kubernetes API on this machine, until it is stopped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use super::output::{Failure, print};
use super::run::stop_signal;
use super::session::runtime;
use crate::adapters::clock::{Clock as _, SystemClock};
use crate::desired::parse_duration;
use crate::model::error::chain;
use crate::sandbox::cluster::Cluster;
use crate::sandbox::controllers::Pace;
use crate::sandbox::faults::FaultRule;
use crate::sandbox::front::{Served, serve};

/// Serves until Ctrl-C or SIGTERM. Nothing is kept.
#[derive(Args, Debug)]
pub(super) struct SandboxArguments {
    /// Where to listen [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", hide_default_value = true)]
    listen: SocketAddr,
    /// Where to write a kubeconfig once the API is served [default: a temporary file, whose path is printed]
    #[arg(long, value_name = "FILE")]
    write_kubeconfig: Option<PathBuf>,
    /// What identities and chances come from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How long a pod takes to start
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    start_delay: String,
    /// Something that goes wrong, as `429=2,verb=create,resource=pods,chance=10%` (repeatable)
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultRule>,
}

pub(super) fn run(arguments: &SandboxArguments) -> Result<ExitCode, Failure> {
    let start = delay(&arguments.start_delay)?;
    let mut cluster = Cluster::new(arguments.seed, Pace { start }, SystemClock.now());
    for fault in &arguments.fault {
        cluster.store.faults.add(fault.clone());
    }
    runtime()?.block_on(async {
        let listen = arguments.listen;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {listen}: {}", chain(&error))))?;
        let address = listener.local_addr().map_err(|error| Failure::of(&error))?;
        // The folder of a temporary kubeconfig is removed when this value goes.
        let (path, _folder) = write_kubeconfig(arguments.write_kubeconfig.as_deref(), address)?;
        print(&format!("a sandbox cluster is served on http://{address}\n"))?;
        print(&format!("export KUBECONFIG={}\n", path.display()))?;
        tokio::select! {
            () = serve(Served::new(cluster), listener) => {}
            () = stop_signal() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn delay(text: &str) -> Result<Duration, Failure> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong =
        || Failure::new(format!("--start-delay: {text:?} is not a duration")).hint("write 500ms or 2s");
    match text.strip_suffix("ms").map(str::parse::<u64>) {
        Some(Ok(milliseconds)) => Ok(Duration::from_millis(milliseconds)),
        Some(Err(_)) => Err(wrong()),
        None => parse_duration(text).ok_or_else(wrong),
    }
}

/// Writes a kubeconfig as a whole, readable by its owner alone.
pub(super) fn write_kubeconfig(
    wanted: Option<&Path>,
    address: SocketAddr,
) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    let failed = |path: &Path, error: &dyn std::error::Error| {
        Failure::new(format!("cannot write {}: {}", path.display(), chain(error)))
    };
    let (path, folder) = match wanted {
        Some(path) => (path.to_owned(), None),
        None => {
            let folder = tempfile::Builder::new()
                .prefix("moorline-sandbox-")
                .tempdir()
                .map_err(|error| failed(&std::env::temp_dir(), &error))?;
            (folder.path().join("kubeconfig"), Some(folder))
        }
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file has mode 0600, and keeps it under its new name.
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(|error| failed(&path, &error))?;
    std::io::Write::write_all(&mut file, kubeconfig(address).as_bytes())
        .map_err(|error| failed(&path, &error))?;
    file.persist(&path).map_err(|error| failed(&path, &error))?;
    Ok((path, folder))
}

fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: sandbox\nclusters:\n- name: sandbox\n  cluster: {{server: \"http://{address}\"}}\nusers:\n- name: sandbox\n  user: {{}}\ncontexts:\n- name: sandbox\n  context: {{cluster: sandbox, user: sandbox}}\n"
    )
}
