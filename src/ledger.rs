//! Records as text: one file per application in the state repository, read, folded and written. Pure; pushing
//! them is the business of adapters.

use jiff::Timestamp;

use crate::model::facts::{Blocked, Version};
use crate::model::name::{ApplicationId, EnvironmentName, InstanceName, ServiceName};
use crate::model::record::{Record, RecordOutcome};

/// One file of the state repository.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordFile {
    /// The format, 1.
    pub version: u32,
    /// The instance that wrote it.
    pub instance: InstanceName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The number of the rollout.
    pub rollout: u64,
    /// How it ended.
    pub outcome: RecordOutcome,
    /// When it ended.
    pub time: Timestamp,
    /// The cluster's identity.
    pub cluster: String,
    /// What was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Version>,
    /// What is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Version>,
    /// What was deployed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// What is blocked, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

impl RecordFile {
    /// The record in the file.
    pub fn into_record(self) -> Record {
        Record {
            rollout: self.rollout,
            outcome: self.outcome,
            wanted: self.wanted,
            deployed: self.deployed,
            previous: self.previous,
            blocked: self.blocked,
            cluster: self.cluster,
            time: self.time,
        }
    }
}

/// A record with the application that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The application.
    pub application: ApplicationId,
    /// The record.
    pub record: Record,
}

/// A text file of the state repository, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEdit {
    /// The path.
    pub path: String,
    /// The text.
    pub content: String,
}

/// A commit of the state repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCommit {
    /// The message without trailers.
    pub message: String,
    /// The trailers.
    pub trailers: Vec<(String, String)>,
    /// The files.
    pub edits: Vec<RecordEdit>,
}

/// The path of an application's record.
pub fn path_of(application: &ApplicationId) -> String {
    format!("environments/{}/{}.yaml", application.environment, application.service)
}

/// The application whose record stands at a path.
pub fn application_of(path: &str) -> Option<ApplicationId> {
    let (environment, file) = path.strip_prefix("environments/")?.split_once('/')?;
    let service = file.strip_suffix(".yaml")?;
    Some(ApplicationId::new(environment.parse().ok()?, service.parse().ok()?))
}

/// Reads a record file; absent if it is not one.
pub fn read(text: &str) -> Option<RecordFile> {
    serde_yaml::from_str(text).ok()
}

/// The format in which records are written.
const RECORD_FORMAT: u32 = 1;

/// Whether a newer moorline wrote a record file: it is not understood here, and not written over (RULES §14).
pub fn is_newer(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Format {
        version: u32,
    }
    serde_yaml::from_str::<Format>(text).is_ok_and(|format| format.version > RECORD_FORMAT)
}

/// The applications among these whose files a newer moorline wrote.
pub fn written_by_newer<'e>(
    entries: &'e [Entry],
    current: &dyn Fn(&str) -> Option<String>,
) -> Vec<&'e ApplicationId> {
    let newer = |entry: &&Entry| current(&path_of(&entry.application)).is_some_and(|text| is_newer(&text));
    entries.iter().filter(newer).map(|entry| &entry.application).collect()
}

/// One commit for all entries that the state repository does not have yet. `current` reads its newest files.
/// An entry whose rollout number is not above its file's was written before; a file that a newer moorline wrote stays as it
/// is.
pub fn commit(
    instance: &InstanceName,
    entries: &[Entry],
    current: &dyn Fn(&str) -> Option<String>,
) -> Option<LedgerCommit> {
    let mut edits: Vec<RecordEdit> = Vec::new();
    let mut trailers = Vec::new();
    let mut lines = Vec::new();
    for entry in entries {
        let path = path_of(&entry.application);
        let pending = edits.iter().find(|edit| edit.path == path).map(|edit| edit.content.clone());
        let text = pending.or_else(|| current(&path));
        if text.as_deref().is_some_and(is_newer) {
            continue;
        }
        let there = text.and_then(|text| read(&text));
        if there.is_some_and(|file| file.rollout >= entry.record.rollout) {
            continue;
        }
        let content = write(instance, entry);
        edits.retain(|edit| edit.path != path);
        edits.push(RecordEdit { path, content });
        trailers
            .push(("Moorline-Operation".to_owned(), entry.record.operation(instance, &entry.application)));
        trailers.push(("Moorline-Service".to_owned(), entry.application.to_string()));
        lines.push(line(entry));
    }
    if edits.is_empty() {
        return None;
    }
    let message = match lines.as_slice() {
        [line] => line.clone(),
        lines => format!("record {} rollouts\n\n{}", lines.len(), lines.join("\n")),
    };
    Some(LedgerCommit { message, trailers, edits })
}

fn line(entry: &Entry) -> String {
    let record = &entry.record;
    let version = match record.outcome {
        RecordOutcome::Deployed => record.deployed.as_ref(),
        RecordOutcome::Blocked | RecordOutcome::Removed => record.wanted.as_ref(),
    };
    let what = version.map(|version| format!(" {}", version.label())).unwrap_or_default();
    let (application, rollout) = (&entry.application, record.rollout);
    format!("{application}: {}{what} (rollout {rollout})", record.outcome.as_str())
}

fn write(instance: &InstanceName, entry: &Entry) -> String {
    let record = &entry.record;
    let file = RecordFile {
        version: RECORD_FORMAT,
        instance: instance.clone(),
        environment: entry.application.environment.clone(),
        service: entry.application.service.clone(),
        rollout: record.rollout,
        outcome: record.outcome,
        time: record.time,
        cluster: record.cluster.clone(),
        wanted: record.wanted.clone(),
        deployed: record.deployed.clone(),
        previous: record.previous.clone(),
        blocked: record.blocked.clone(),
    };
    // A struct of texts and numbers always serializes; an empty file would be reported as unreadable.
    serde_yaml::to_string(&file).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use expect_test::expect;

    fn entry(rollout: u64) -> Entry {
        let version = Version {
            commit: Some("0123456789abcdef0123456789abcdef01234567".parse().unwrap()),
            chart: None,
            image: Some("shop/web:1".to_owned()),
            images: Vec::new(),
            config: "89abcdef0123456789abcdef0123456789abcdef".parse().unwrap(),
            digest: Digest::of(b"set"),
        };
        Entry {
            application: ApplicationId::new("dev".parse().unwrap(), "web".parse().unwrap()),
            record: Record {
                rollout,
                outcome: RecordOutcome::Deployed,
                wanted: Some(version.clone()),
                deployed: Some(version),
                previous: None,
                blocked: None,
                cluster: "c".to_owned(),
                time: "2026-01-01T00:00:00Z".parse().unwrap(),
            },
        }
    }

    #[test]
    fn a_record_is_written_once_and_read_back() {
        let instance: InstanceName = "shop".parse().unwrap();
        let commit_one = commit(&instance, &[entry(3)], &|_| None).unwrap();
        assert_eq!(commit_one.message, "dev/web: deployed 01234567 (rollout 3)");
        assert_eq!(commit_one.trailers[0], ("Moorline-Operation".to_owned(), "shop/dev/web/3".to_owned()));
        let text = commit_one.edits[0].content.clone();
        expect![[r"
            version: 1
            instance: shop
            environment: dev
            service: web
            rollout: 3
            outcome: deployed
            time: 2026-01-01T00:00:00Z
            cluster: c
            wanted:
              commit: 0123456789abcdef0123456789abcdef01234567
              image: shop/web:1
              config: 89abcdef0123456789abcdef0123456789abcdef
              digest: sha256:6ee0eb490ff832101cf82a3d387c35f29e4230be786978f7acf9e811febf6723
            deployed:
              commit: 0123456789abcdef0123456789abcdef01234567
              image: shop/web:1
              config: 89abcdef0123456789abcdef0123456789abcdef
              digest: sha256:6ee0eb490ff832101cf82a3d387c35f29e4230be786978f7acf9e811febf6723
        "]]
        .assert_eq(&text);
        assert_eq!(read(&text).unwrap().rollout, 3);
        assert_eq!(commit(&instance, &[entry(3), entry(2)], &|_| Some(text.clone())), None);
        let later = commit(&instance, &[entry(3), entry(4), entry(5)], &|_| Some(text.clone())).unwrap();
        assert_eq!(later.edits.len(), 1);
        assert!(later.message.starts_with("record 2 rollouts"));
    }

    #[test]
    fn what_a_newer_moorline_wrote_is_not_written_over() {
        let instance: InstanceName = "shop".parse().unwrap();
        let newer = |_: &str| Some("version: 2\nsomething: else\n".to_owned());
        assert_eq!(commit(&instance, &[entry(3)], &newer), None);
        let entries = [entry(3)];
        assert_eq!(written_by_newer(&entries, &newer), [&entries[0].application]);
        assert!(written_by_newer(&entries, &|_| None).is_empty());
        // What is no record at all is replaced, as before.
        assert!(commit(&instance, &[entry(3)], &|_| Some("{".to_owned())).is_some());
    }
}
