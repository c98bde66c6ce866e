//! What is said to a Git server and what its answers mean, for protocol versions 0 and 2. No IO.

use std::collections::BTreeMap;

use super::packet::{DELIMITER, FLUSH, append_line};
use crate::model::source::{CommitSha, References};

/// How the server lets us read, from its first words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Everything was said at once: all references, and what the server can do.
    Version0(Advertisement),
    /// The server waits for commands; only what it can do is known.
    Version2(Vec<String>),
}

/// The references and abilities that a server of version 0, or one that is pushed to, begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Advertisement {
    /// Reference name → object, in the server's order, peeled ones (`…^{}`) included.
    pub(super) references: BTreeMap<String, CommitSha>,
    /// What the server can do.
    pub(super) capabilities: Vec<String>,
}

/// A line that does not belong where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer has a line that Git would not write")]
pub(super) struct UnexpectedLine;

impl Advertisement {
    /// Takes one line of the list; the first one carries the abilities behind a zero byte.
    pub(super) fn add(&mut self, line: &str) -> Result<(), UnexpectedLine> {
        let (line, capabilities) =
            line.split_once('\0').map_or((line, None), |(line, rest)| (line, Some(rest)));
        if let Some(capabilities) = capabilities {
            self.capabilities =
                capabilities.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        }
        let (object, name) = line.split_once(' ').ok_or(UnexpectedLine)?;
        // `.have` lines name objects of other repositories, `capabilities^{}` stands where there is no reference,
        // and commits at which the server's own history is cut say nothing about references.
        if object == "shallow" || name == ".have" || name == "capabilities^{}" {
            return Ok(());
        }
        let object = object.parse().map_err(|_| UnexpectedLine)?;
        self.references.insert(name.to_owned(), object);
        Ok(())
    }

    /// Whether the server can do this.
    pub(super) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|word| word == capability)
    }

    /// Branches, tags and HEAD.
    pub(super) fn to_references(&self) -> References {
        let mut references = References::default();
        for (name, object) in &self.references {
            add_reference(&mut references, name, *object);
        }
        let head = self.capabilities.iter().find_map(|word| word.strip_prefix("symref=HEAD:refs/heads/"));
        references.head_branch = head.map(str::to_owned);
        references
    }
}

fn add_reference(references: &mut References, name: &str, object: CommitSha) {
    if let Some(branch) = name.strip_prefix("refs/heads/") {
        references.branches.insert(branch.to_owned(), object);
    } else if let Some(tag) = name.strip_prefix("refs/tags/") {
        // The peeled line follows the tag's own and replaces it.
        references.tags.insert(tag.trim_end_matches("^{}").to_owned(), object);
    }
}

/// Whether the objects are named in another way than the one that we can read.
pub(super) fn other_object_format(capabilities: &[String]) -> Option<&str> {
    let format = capabilities.iter().find_map(|word| word.strip_prefix("object-format="))?;
    (format != "sha1").then_some(format)
}

fn agent() -> String {
    format!("agent=moorline/{}", env!("CARGO_PKG_VERSION"))
}

/// Asks a server of version 2 for HEAD, branches and tags, and for nothing else that it may have by the thousand.
pub(super) fn list_request(capabilities: &[String]) -> Vec<u8> {
    let mut request = Vec::new();
    append_line("command=ls-refs", &mut request);
    append_line(&agent(), &mut request);
    request.extend_from_slice(DELIMITER);
    append_line("peel", &mut request);
    append_line("symrefs", &mut request);
    if capabilities.iter().any(|line| line.starts_with("ls-refs=") && line.contains("unborn")) {
        append_line("unborn", &mut request);
    }
    for prefix in ["HEAD", "refs/heads/", "refs/tags/"] {
        append_line(&format!("ref-prefix {prefix}"), &mut request);
    }
    request.extend_from_slice(FLUSH);
    request
}

/// Takes one line of the answer to [`list_request`].
pub(super) fn add_listed(references: &mut References, line: &str) -> Result<(), UnexpectedLine> {
    let mut words = line.split(' ');
    let (object, name) = (words.next().ok_or(UnexpectedLine)?, words.next().ok_or(UnexpectedLine)?);
    let mut object: Option<CommitSha> = match object {
        "unborn" => None,
        hex => Some(hex.parse().map_err(|_| UnexpectedLine)?),
    };
    for word in words {
        if let Some(peeled) = word.strip_prefix("peeled:") {
            object = Some(peeled.parse().map_err(|_| UnexpectedLine)?);
        } else if let Some(branch) = word.strip_prefix("symref-target:refs/heads/")
            && name == "HEAD"
        {
            references.head_branch = Some(branch.to_owned());
        }
    }
    if let Some(object) = object {
        add_reference(references, name, object);
    }
    Ok(())
}

/// One fetch: a commit, and what we have already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fetch<'a> {
    /// The commit.
    pub(super) want: CommitSha,
    /// Commits that we have in full, with their history if `depth` is [`Depth::History`].
    pub(super) have: &'a [CommitSha],
    /// How much comes with the commit.
    pub(super) depth: Depth,
}

/// How much comes with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its files, if the server can leave out the history.
    Files,
    /// Its files with the history, for a server that cannot leave that out.
    Everything,
    /// The history, in a mirror that has all of it of each commit.
    History,
}

/// Lets the server build on what we have. Where history is cut off it leaves that out only if told so.
const THIN: &str = "thin-pack";

/// Asks a server of version 2 for a commit.
pub(super) fn fetch_request(fetch: Fetch<'_>, capabilities: &[String]) -> Vec<u8> {
    let can_shallow = capabilities.iter().any(|line| line.starts_with("fetch=") && line.contains("shallow"));
    let mut request = Vec::new();
    append_line("command=fetch", &mut request);
    append_line(&agent(), &mut request);
    request.extend_from_slice(DELIMITER);
    append_line("no-progress", &mut request);
    append_line("ofs-delta", &mut request);
    if (can_shallow || fetch.depth == Depth::History) && !fetch.have.is_empty() {
        append_line(THIN, &mut request);
    }
    append_line(&format!("want {}", fetch.want), &mut request);
    append_depth(fetch, can_shallow, &mut request);
    append_have(fetch, can_shallow, &mut request);
    append_line("done", &mut request);
    request.extend_from_slice(FLUSH);
    request
}

/// Asks a server of version 0 for a commit.
pub(super) fn fetch_request_version_0(fetch: Fetch<'_>, server: &Advertisement) -> Vec<u8> {
    let can_shallow = server.can("shallow");
    let mut first = format!("want {}", fetch.want);
    // One host refuses whoever does not ask for acknowledgements in detail; they are skipped all the same.
    for word in ["multi_ack_detailed", "side-band-64k", "ofs-delta", "no-progress", THIN] {
        if server.can(word) {
            first.push(' ');
            first.push_str(word);
        }
    }
    if server.capabilities.iter().any(|word| word.starts_with("agent=")) {
        first.push(' ');
        first.push_str(&agent());
    }
    let mut request = Vec::new();
    append_line(&first, &mut request);
    append_depth(fetch, can_shallow, &mut request);
    request.extend_from_slice(FLUSH);
    append_have(fetch, can_shallow, &mut request);
    append_line("done", &mut request);
    request
}

fn append_depth(fetch: Fetch<'_>, can_shallow: bool, request: &mut Vec<u8>) {
    if can_shallow && fetch.depth != Depth::History {
        for commit in fetch.have {
            append_line(&format!("shallow {commit}"), request);
        }
        if fetch.depth == Depth::Files {
            append_line("deepen 1", request);
        }
    }
}

fn append_have(fetch: Fetch<'_>, can_shallow: bool, request: &mut Vec<u8>) {
    // Without the word that their history is missing the server would count on that history.
    if can_shallow || fetch.depth == Depth::History {
        for commit in fetch.have {
            append_line(&format!("have {commit}"), request);
        }
    }
}

/// Moves a branch, with the new objects in a pack behind the request.
pub(super) fn push_request(
    branch: &str,
    old: Option<CommitSha>,
    new: CommitSha,
    server: &Advertisement,
    pack: &[u8],
) -> Vec<u8> {
    let old = old.unwrap_or(CommitSha::from_bytes([0; 20]));
    let mut line = format!("{old} {new} refs/heads/{branch}\0 report-status");
    if server.can("side-band-64k") {
        line.push_str(" side-band-64k");
    }
    line.push(' ');
    line.push_str(&agent());
    let mut request = Vec::with_capacity(pack.len() + 300);
    append_line(&line, &mut request);
    request.extend_from_slice(FLUSH);
    request.extend_from_slice(pack);
    request
}

/// Whether the server has moved the branch, from its report's lines; else why not.
pub(super) fn push_verdict(report: &[String]) -> Result<(), String> {
    let mut accepted = false;
    for line in report {
        match line.split_once(' ') {
            Some(("unpack", "ok")) => {}
            Some(("unpack", why)) => return Err(why.to_owned()),
            Some(("ok", _)) => accepted = true,
            Some(("ng", rest)) => return Err(rest.split_once(' ').map_or(rest, |(_, why)| why).to_owned()),
            _ => {}
        }
    }
    if accepted { Ok(()) } else { Err("the server did not say that it moved the branch".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn commit(text: &str) -> CommitSha {
        text.parse().unwrap()
    }

    fn expected() -> References {
        References {
            head_branch: Some("main".to_owned()),
            branches: BTreeMap::from([("main".to_owned(), commit(A)), ("team/x".to_owned(), commit(B))]),
            tags: BTreeMap::from([("v1".to_owned(), commit(A))]),
        }
    }

    #[test]
    fn both_dialects_say_the_same_references() {
        let mut advertisement = Advertisement::default();
        for line in [
            format!("{A} HEAD\0multi_ack shallow symref=HEAD:refs/heads/main object-format=sha1"),
            format!("{A} refs/heads/main"),
            format!("{B} refs/heads/team/x"),
            format!("{B} refs/pull/1/head"),
            format!("{B} refs/tags/v1"),
            format!("{A} refs/tags/v1^{{}}"),
            format!("shallow {B}"),
        ] {
            advertisement.add(&line).unwrap();
        }
        assert_eq!(advertisement.to_references(), expected());
        assert!(advertisement.can("shallow") && !advertisement.can("shall"));

        let mut listed = References::default();
        for line in [
            format!("{A} HEAD symref-target:refs/heads/main"),
            format!("{A} refs/heads/main"),
            format!("{B} refs/heads/team/x"),
            format!("{B} refs/tags/v1 peeled:{A}"),
        ] {
            add_listed(&mut listed, &line).unwrap();
        }
        assert_eq!(listed, expected());
    }

    #[test]
    fn an_empty_repository_has_no_references() {
        let mut advertisement = Advertisement::default();
        advertisement.add(&format!("{} capabilities^{{}}\0report-status", "0".repeat(40))).unwrap();
        assert_eq!(advertisement.to_references(), References::default());
        let mut listed = References::default();
        add_listed(&mut listed, "unborn HEAD symref-target:refs/heads/main").unwrap();
        assert_eq!(listed, References { head_branch: Some("main".to_owned()), ..References::default() });
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["", "abc refs/heads/main", A] {
            assert!(Advertisement::default().add(line).is_err(), "{line}");
            assert!(add_listed(&mut References::default(), line).is_err(), "{line}");
        }
        assert_eq!(other_object_format(&["object-format=sha256".to_owned()]), Some("sha256"));
    }

    #[test]
    fn have_is_only_said_where_missing_history_can_be() {
        let have = [commit(B)];
        let fetch = Fetch { want: commit(A), have: &have, depth: Depth::Files };
        let text = |request: Vec<u8>| String::from_utf8(request).unwrap();
        let with = text(fetch_request(fetch, &["fetch=shallow wait-for-done".to_owned()]));
        assert!(
            with.contains(&format!("have {B}"))
                && with.contains(&format!("shallow {B}"))
                && with.contains("deepen 1")
        );
        let without = text(fetch_request(fetch, &["fetch".to_owned()]));
        assert!(!without.contains(B) && !without.contains("deepen"));
        let version_0 = text(fetch_request_version_0(fetch, &Advertisement::default()));
        assert_eq!(version_0, format!("0032want {A}\n00000009done\n"));
    }

    #[test]
    fn a_push_is_accepted_only_when_said_so() {
        let verdict =
            |lines: &[&str]| push_verdict(&lines.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(verdict(&["unpack ok", "ok refs/heads/main"]), Ok(()));
        assert_eq!(verdict(&["unpack ok", "ng refs/heads/main fetch first"]), Err("fetch first".to_owned()));
        assert_eq!(
            verdict(&["unpack disk full", "ng refs/heads/main unpacker error"]),
            Err("disk full".to_owned())
        );
        assert!(verdict(&["unpack ok"]).is_err() && verdict(&[]).is_err());
    }
}
