//! Renders the chart in a folder and prints what `helm template` would print:
//! `cargo run --example render_chart -- path/to/chart [values.yaml]`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use moorline::helm::{Chart, Engine, RenderInput, Values};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("give the folder of a chart")?;
    let layers = arguments
        .map(|path| Ok(Values::parse(&std::fs::read(path)?)?))
        .collect::<Result<_, Box<dyn Error>>>()?;

    // The engine reads no files: it gets them as bytes, with paths relative to the chart.
    let mut files = BTreeMap::new();
    read_folder(Path::new(&folder), "", &mut files)?;
    let chart = Chart::from_files(files)?;

    // A parsed chart can be rendered any number of times, from any number of threads; so can an engine render.
    let engine = Engine::default();
    let rendered = engine.render(&chart, &RenderInput { layers, ..RenderInput::default() })?;
    for document in &rendered.documents {
        writeln!(std::io::stderr(), "{} from {}", document.kind, document.source)?;
    }
    std::io::stdout().write_all(&rendered.to_helm_output())?;
    Ok(())
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Arc<[u8]>>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, Arc::from(std::fs::read(entry.path())?));
        }
    }
    Ok(())
}
