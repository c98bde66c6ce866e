//! `moorline demo`: a cluster of its own, sample repositories, the daemon on them, and things to try.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::output::{Failure, in_colour};
use super::run::stop_signal;
use super::sandbox::write_kubeconfig;
use super::session::{Session, runtime};
use crate::adapters::clock::{Clock as _, SystemClock};
use crate::demo::registry::DemoRegistry;
use crate::demo::screen::Screen;
use crate::demo::shop::Shop;
use crate::demo::tries::{text, tries};
use crate::demo::view::{self, Frame};
use crate::reconciler::{Outcome, RunMode};
use crate::report::status::Board;
use crate::sandbox::cluster::Cluster;
use crate::sandbox::controllers::Pace;
use crate::sandbox::front::{Served, serve};
use crate::settings::CommonArguments;
use crate::telemetry::{self, BoxMakeWriter, LogFormat, Metrics, wants_colours};

/// How often the view is drawn.
const FRAME: Duration = Duration::from_millis(200);
/// The things to try are shown when all is deployed, at the latest after this.
const PATIENCE: Duration = Duration::from_secs(12);
/// Where the dashboard is, if the port is free.
const DASHBOARD: &str = "127.0.0.1:8080";

/// Ends with Ctrl-C. Nothing is left behind unless --dir names a folder. Exit codes: 0 ended · 1 an error, with
/// --exit also what did not become healthy.
#[derive(Args, Debug)]
pub(super) struct DemoArguments {
    /// Keep everything in this folder, which must be empty [default: a temporary one, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Open the dashboard in the browser
    #[arg(long)]
    open: bool,
    /// End when all is deployed and healthy
    #[arg(long)]
    exit: bool,
}

/// The folder of the demo: a temporary one goes with this value.
struct Place {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

pub(super) fn run(arguments: &DemoArguments) -> Result<ExitCode, Failure> {
    let terminal = std::io::stdout().is_terminal();
    let screen = Screen::new(Box::new(std::io::stdout()), terminal);
    let colours = wants_colours(terminal, std::env::var("NO_COLOR").ok().as_deref());
    telemetry::init(LogFormat::Text, "moorline=info,warn", colours, BoxMakeWriter::new(screen.clone()))
        .map_err(|error| Failure::of(&error))?;
    let place = place(arguments.dir.as_deref())?;
    screen.print(&format!(
        "moorline demo in {}: a sandbox cluster, sample repositories, the daemon",
        place.path.display()
    ));
    let runtime = runtime()?;
    let registry = runtime.block_on(TcpListener::bind("127.0.0.1:0")).map_err(|error| Failure::of(&error))?;
    let address = registry.local_addr().map_err(|error| Failure::of(&error))?;
    let shop = Shop::create(&place.path, &address.to_string()).map_err(|error| Failure::of(&error))?;
    let images = DemoRegistry::default();
    images.push("shop", &shop.first, &shop.first);
    runtime.spawn(images.serve(registry));
    let green = runtime.block_on(show(arguments, &shop, &screen, colours));
    // What still hangs on a connection must not keep the folder.
    runtime.shutdown_timeout(Duration::from_millis(200));
    if let Some(folder) = &arguments.dir {
        screen.print(&format!("kept in {}", folder.display()));
    }
    Ok(if green? || !arguments.exit { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn place(folder: Option<&Path>) -> Result<Place, Failure> {
    let Some(folder) = folder else {
        let temporary = tempfile::Builder::new().prefix("moorline-demo-").tempdir();
        let temporary = temporary.map_err(|error| Failure::of(&error))?;
        // macOS reaches its temporary folder by a symbolic link, which Git reports resolved.
        let path = temporary.path().canonicalize().map_err(|error| Failure::of(&error))?;
        return Ok(Place { path, _temporary: Some(temporary) });
    };
    let failed = |error: std::io::Error| Failure::new(format!("--dir {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let message = format!("--dir {}: the folder is not empty", folder.display());
        return Err(Failure::new(message).hint("name a new folder, or leave --dir out"));
    }
    Ok(Place { path: folder.canonicalize().map_err(failed)?, _temporary: None })
}

/// Serves the cluster, runs the daemon, draws. True if all was green at the end.
async fn show(
    arguments: &DemoArguments,
    shop: &Shop,
    screen: &Screen,
    colours: bool,
) -> Result<bool, Failure> {
    let sandbox = TcpListener::bind("127.0.0.1:0").await.map_err(|error| Failure::of(&error))?;
    let address = sandbox.local_addr().map_err(|error| Failure::of(&error))?;
    let cluster = Cluster::new(seed(), Pace::default(), SystemClock.now());
    let sandbox = tokio::spawn(serve(Served::new(cluster), sandbox));
    write_kubeconfig(Some(&shop.kubeconfig()), address)?;
    let session = Session::open(&settings(shop))?;
    let mut options = session.options(Vec::new(), false)?;
    options.poll = Duration::from_secs(2);
    let metrics = session.world.metrics.clone();
    let (sender, board) = watch::channel(Arc::new(Board::default()));
    let dashboard = dashboard().await?;
    let url = dashboard.local_addr().map(|address| format!("http://{address}/"));
    let url = url.map_err(|error| Failure::of(&error))?;
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move {
        let _ = end.await;
    };
    let server = tokio::spawn(crate::server::serve(dashboard, board.clone(), metrics.clone(), stopped));
    screen.print(&format!("dashboard: {url}"));
    if arguments.open {
        open(&url, screen);
    }
    let viewer = Viewer { screen, shop, metrics, url, colours, exit: arguments.exit };
    let stop = async {
        tokio::select! {
            () = stop_signal() => {}
            () = viewer.draw(board.clone()) => {}
        }
    };
    let outcome = crate::reconciler::run(session.world, options, RunMode::Forever, sender, stop).await;
    screen.show(String::new());
    drop(ended);
    let _ = tokio::time::timeout(Duration::from_secs(1), server).await;
    sandbox.abort();
    Ok(conclude(&outcome, screen))
}

/// What the view needs.
struct Viewer<'a> {
    screen: &'a Screen,
    shop: &'a Shop,
    metrics: Arc<Metrics>,
    url: String,
    colours: bool,
    exit: bool,
}

impl Viewer<'_> {
    /// Draws until the process ends, or until all is green if it is to end then.
    async fn draw(&self, board: watch::Receiver<Arc<Board>>) {
        let started = tokio::time::Instant::now();
        let mut told = false;
        loop {
            let now = board.borrow().clone();
            let green = view::is_green(&now);
            if !told && (green || started.elapsed() > PATIENCE) {
                told = true;
                self.tell(&now);
            }
            if green && self.exit {
                return;
            }
            let paint = |line: &str, mark| in_colour(line, mark, self.colours);
            self.screen.show(view::text(&now, &self.frame(), paint));
            tokio::time::sleep(FRAME).await;
        }
    }

    fn frame(&self) -> Frame {
        let width = terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0));
        let footer = format!("dashboard {} · Ctrl-C ends it and leaves nothing behind", self.url);
        Frame { width, healed: self.metrics.healed_in_all(), footer }
    }

    /// Says how far it came and what to try.
    fn tell(&self, board: &Board) {
        let width = usize::MAX;
        let frame = Frame { width, healed: 0, footer: String::new() };
        if !self.screen.is_terminal() {
            self.screen.print(view::text(board, &frame, |line, _| line.to_owned()).trim_end());
        }
        let program =
            std::env::current_exe().map_or_else(|_| "moorline".to_owned(), |path| path.display().to_string());
        self.screen.print(&format!("\n{}", text(&tries(self.shop, &program))));
    }
}

/// Settings of the demo alone: nothing of the person's own settings file or variables.
fn settings(shop: &Shop) -> CommonArguments {
    let text = |path: PathBuf| Some(path.display().to_string());
    CommonArguments {
        config: text(shop.config()),
        state: text(shop.state()),
        kubeconfig: Some(shop.kubeconfig()),
        data_dir: Some(shop.data()),
        ..CommonArguments::default()
    }
}

async fn dashboard() -> Result<TcpListener, Failure> {
    if let Ok(listener) = TcpListener::bind(DASHBOARD).await {
        return Ok(listener);
    }
    TcpListener::bind("127.0.0.1:0").await.map_err(|error| Failure::of(&error))
}

fn open(url: &str, screen: &Screen) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    let started = std::process::Command::new(program).arg(url).stdout(quiet()).stderr(quiet()).spawn();
    if let Err(error) = started {
        screen.print(&format!("{program} cannot be started: {error}; open {url} yourself"));
    }
}

/// Every demo has names of its own.
fn seed() -> u64 {
    u64::from(std::process::id())
}

fn conclude(outcome: &Outcome, screen: &Screen) -> bool {
    outcome.failures.iter().for_each(|failure| screen.print(&format!("error: {failure}")));
    let green = outcome.failures.is_empty() && view::is_green(&outcome.board);
    if green {
        screen.print("all deployed and healthy");
    }
    green
}
