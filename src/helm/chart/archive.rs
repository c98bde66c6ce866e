//! Unpacks chart archives in memory, with bounds on sizes, counts and paths.

use std::io::{self, Read, Seek, SeekFrom};
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
    let (stream, end) = inflate(bytes, most.min(2 * TOTAL_BYTES) + 1);
    let mut archive = tar::Archive::new(Stream { bytes: &stream, at: 0, end });
    let mut files = Vec::new();
    let mut total = 0_u64;
    let broken = |error: io::Error| ChartError::Archive(error.to_string());
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
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
        // Where the archive ends before the content does, the search for the next entry finds the error.
        let from = place(entry.raw_file_position());
        let to = from.saturating_add(place(entry.size()));
        files.push((path, Arc::from(stream.get(from..to).unwrap_or_default())));
    }
    if files.is_empty() {
        return Err(ChartError::Archive("no files in chart archive".to_owned()));
    }
    Ok(files)
}

/// All that a gzipped stream holds, so far as it can be read, and what ends it before its end.
fn inflate(bytes: &[u8], most: u64) -> (Vec<u8>, Option<io::Error>) {
    let size = bytes.last_chunk().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    let mut stream = Vec::with_capacity(place(size.min(most)));
    let end = flate2::read::GzDecoder::new(bytes).take(most).read_to_end(&mut stream).err();
    (stream, end)
}

fn place(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// An unpacked stream; what ended it is told to who comes there.
struct Stream<'s> {
    bytes: &'s [u8],
    at: usize,
    end: Option<io::Error>,
}

impl Stream<'_> {
    fn ended<T>(&mut self, otherwise: io::Result<T>) -> io::Result<T> {
        self.end.take().map_or(otherwise, Err)
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return self.ended(Ok(0));
        }
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

impl Seek for Stream<'_> {
    /// Only forward.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(distance @ 0..) = to else {
            return Err(io::Error::other("an archive is read forward"));
        };
        let at = self.at.saturating_add(place(distance.unsigned_abs()));
        if at > self.bytes.len() {
            return self.ended(Err(io::Error::other("unexpected EOF during skip")));
        }
        self.at = at;
        Ok(at as u64)
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Budget, unpack};

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append_data(&mut header, path, *content).unwrap();
        }
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&archive.into_inner().unwrap()).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> Result<Vec<(String, usize)>, String> {
        let files = unpack(bytes, &mut Budget::default()).map_err(|error| error.to_string())?;
        Ok(files.into_iter().map(|(path, content)| (path, content.len())).collect())
    }

    #[test]
    fn what_ends_an_archive_is_told_where_it_is_reached() {
        let noise: Vec<u8> =
            (0..5000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        let whole = packed(&[("a/Chart.yaml", b"name: a\n"), ("a/b", &noise), ("a/c", b"c")]);
        let all = vec![("Chart.yaml".to_owned(), 8), ("b".to_owned(), 5000), ("c".to_owned(), 1)];
        assert_eq!(unpacked(&whole), Ok(all.clone()));
        // In the middle of a file.
        let error = unpacked(&whole[..whole.len() / 2]).unwrap_err();
        assert!(error.contains("incomplete deflate stream"), "{error}");
        // The archive has ended before the checksum.
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 0xFF;
        assert_eq!(unpacked(&damaged), Ok(all));
    }
}
