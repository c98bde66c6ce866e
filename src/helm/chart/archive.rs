//! Unpacks chart archives in memory, with bounds on sizes, counts and paths.

use std::io::Read as _;
use std::sync::Arc;

use super::ChartError;

/// A file of an archive.
type NamedBytes = (String, Arc<[u8]>);

/// Bytes of the whole archive, unpacked, as in Helm 4; how many entries. Helm 3 also refuses a file above 5 MiB.
const TOTAL_BYTES: u64 = 100 << 20;
const ENTRIES: usize = 20_000;
/// What is unpacked may be so many times as large as the archive, unless it is small.
const RATIO: u64 = 100;
const SMALL: u64 = 8 << 20;

/// What may still be unpacked of a chart, the archives inside it included.
pub(super) struct Budget {
    bytes: u64,
    entries: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: TOTAL_BYTES, entries: ENTRIES }
    }
}

/// The files of a chart archive, without their first folder.
pub(super) fn unpack(bytes: &[u8], budget: &mut Budget) -> Result<Vec<NamedBytes>, ChartError> {
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Err(ChartError::Archive(
            "file does not appear to be a gzipped archive; got 'application/octet-stream'".to_owned(),
        ));
    }
    let most = SMALL.max(RATIO.saturating_mul(bytes.len() as u64));
    // Headers and padding are unpacked too, so the stream itself has an end.
    let decoder = flate2::read::GzDecoder::new(bytes).take(most.min(2 * TOTAL_BYTES) + 1);
    let mut archive = tar::Archive::new(decoder);
    let mut files = Vec::new();
    let mut total = 0_u64;
    let broken = |error: std::io::Error| ChartError::Archive(error.to_string());
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            continue;
        }
        if !kind.is_file() && !kind.is_contiguous() {
            continue;
        }
        let Some(path) = inner_path(&entry.path_bytes())? else {
            continue;
        };
        budget.entries = budget
            .entries
            .checked_sub(1)
            .ok_or_else(|| ChartError::Archive(format!("chart archive has more than {ENTRIES} files")))?;
        total = entry.size().saturating_add(total);
        if total > most {
            return Err(ChartError::Archive(format!(
                "decompressed chart is more than {RATIO} times as large as its archive"
            )));
        }
        budget.bytes = budget.bytes.checked_sub(entry.size()).ok_or_else(|| {
            ChartError::Archive(format!("decompressed chart is larger than the maximum size {TOTAL_BYTES}"))
        })?;
        let mut content = Vec::with_capacity(usize::try_from(entry.size()).unwrap_or(0));
        entry.by_ref().read_to_end(&mut content).map_err(broken)?;
        files.push((path, Arc::from(content)));
    }
    if files.is_empty() {
        return Err(ChartError::Archive("no files in chart archive".to_owned()));
    }
    Ok(files)
}

/// The path below the archive's folder; paths that could leave it are refused.
fn inner_path(path: &[u8]) -> Result<Option<String>, ChartError> {
    let path = String::from_utf8_lossy(path).replace('\\', "/");
    let illegal = |why: &str| ChartError::Archive(format!("{why}: {path:?}"));
    if path.starts_with('/') {
        return Err(ChartError::Archive("chart illegally contains absolute paths".to_owned()));
    }
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    let Some(first) = parts.next() else {
        return Ok(None);
    };
    let rest: Vec<&str> = parts.collect();
    if first == ".." || rest.contains(&"..") {
        return Err(ChartError::Archive("chart illegally references parent directory".to_owned()));
    }
    if rest.is_empty() {
        if first == "Chart.yaml" {
            return Err(ChartError::Archive("chart yaml not in base directory".to_owned()));
        }
        return Ok(None);
    }
    if rest.iter().any(|part| part.contains('\0')) {
        return Err(illegal("chart contains illegally named files"));
    }
    Ok(Some(rest.join("/")))
}
