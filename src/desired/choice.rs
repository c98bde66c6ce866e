//! Which commit of a branch an environment wants: the newest of which all images exist (RULES §9). Pure: the history
//! and what the registries said go in.

use jiff::Timestamp;

use crate::model::history::{Mainline, PastCommit};
use crate::model::source::CommitSha;

/// So many commits after a version may have given their names to its image.
const NAMES: usize = 20;

/// A version of a service on a branch, with the commits whose images are its own: its own one, and those after it that
/// change nothing of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The commit.
    pub commit: PastCommit,
    /// By which commits its image may be tagged, the version's own first.
    pub names: Vec<CommitSha>,
}

/// What is known of a candidate's images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// All exist, under the tag of this commit.
    Yes(CommitSha),
    /// One or more are not there.
    No,
    /// The registry could not be asked, and why.
    Unknown(String),
}

/// A newer version that is not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The newest version of the branch.
    pub commit: PastCommit,
    /// What keeps it.
    pub state: AwaitedState,
}

/// What keeps a newer version from being taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwaitedState {
    /// Its images are not there yet.
    Awaited,
    /// Its images are not there, and it is long since they should be.
    Missing,
    /// The registry could not be asked.
    Unknown(String),
}

/// What is taken of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The commit, and the commit that its images are tagged by; absent if no version has its images.
    pub wanted: Option<(PastCommit, CommitSha)>,
    /// A newer version that is waited for.
    pub awaited: Option<Awaited>,
}

/// The versions of a branch, newest first. The deployed commit stands among them even where it changes nothing: what is
/// deployed is not given up for something older.
pub fn candidates(mainline: &Mainline, deployed: Option<CommitSha>) -> Vec<Candidate> {
    let mut found = Vec::new();
    // Commits since the version before, newest first.
    let mut after: Vec<CommitSha> = Vec::new();
    for commit in &mainline.commits {
        let id = commit.commit.id;
        if !commit.changes && Some(id) != deployed {
            after.push(id);
            continue;
        }
        let later = after.drain(..).rev().take(NAMES);
        let names = std::iter::once(id).chain(later).collect();
        found.push(Candidate { commit: commit.commit.clone(), names });
    }
    found
}

/// The newest candidate all of whose images exist. `built` says what is known of a candidate; it is asked from the newest
/// on, and no further than needed.
///
/// A registry that cannot be asked keeps the deployed commit, and is no reason to take an older one than the newest that
/// is known to be built.
pub fn choose(
    candidates: &[Candidate],
    deployed: Option<CommitSha>,
    missing_after: jiff::SignedDuration,
    now: Timestamp,
    built: &dyn Fn(&Candidate) -> Built,
) -> Choice {
    let mut awaited = None;
    for candidate in candidates {
        let state = match built(candidate) {
            Built::Yes(name) => return Choice { wanted: Some((candidate.commit.clone(), name)), awaited },
            // What runs has its image, whatever the registry says today.
            _ if Some(candidate.commit.id) == deployed => {
                let name = candidate.commit.id;
                return Choice { wanted: Some((candidate.commit.clone(), name)), awaited };
            }
            Built::No if now.duration_since(candidate.commit.time) > missing_after => AwaitedState::Missing,
            Built::No => AwaitedState::Awaited,
            Built::Unknown(why) => AwaitedState::Unknown(why),
        };
        let unknown = matches!(state, AwaitedState::Unknown(_));
        awaited.get_or_insert(Awaited { commit: candidate.commit.clone(), state });
        if unknown && deployed.is_some() {
            // It may be built: an older one must not come in its place.
            return Choice { wanted: None, awaited };
        }
    }
    Choice { wanted: None, awaited }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::MainlineCommit;
    use std::collections::BTreeMap;

    fn id(letter: char) -> CommitSha {
        format!("{:040x}", u32::from(letter)).parse().unwrap()
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    /// A branch, newest first; small letters change nothing of the service.
    fn branch(letters: &str) -> Mainline {
        let commits = letters.chars().enumerate().map(|(index, letter)| MainlineCommit {
            commit: PastCommit {
                id: id(letter),
                author: "Ann".to_owned(),
                time: at(100 - i64::try_from(index).unwrap()),
                subject: letter.to_string(),
            },
            changes: letter.is_uppercase(),
        });
        Mainline { commits: commits.collect(), contains_base: true }
    }

    fn letters(candidate: &Candidate) -> String {
        let letter = |commit: &CommitSha| ('A'..='z').find(|letter| id(*letter) == *commit).unwrap();
        candidate.names.iter().map(letter).collect()
    }

    /// Images: letters that are built, `?` before those that cannot be asked for.
    fn choice(commits: &str, images: &str, deployed: Option<char>) -> String {
        let mut built = BTreeMap::new();
        let mut unknown = false;
        for letter in images.chars() {
            if letter == '?' {
                unknown = true;
                continue;
            }
            let state = if unknown { Built::Unknown("no answer".to_owned()) } else { Built::Yes(id(letter)) };
            built.insert(id(letter), state);
            unknown = false;
        }
        let deployed = deployed.map(id);
        let candidates = candidates(&branch(commits), deployed);
        let known = |candidate: &Candidate| {
            candidate.names.iter().find_map(|name| built.get(name).cloned()).unwrap_or(Built::No)
        };
        let hour = jiff::SignedDuration::from_mins(3);
        let choice = choose(&candidates, deployed, hour, at(101), &known);
        let wanted = choice.wanted.map_or("-".to_owned(), |(commit, _)| commit.subject);
        let awaited = choice.awaited.map_or("-".to_owned(), |awaited| {
            let state = match awaited.state {
                AwaitedState::Awaited => "awaited",
                AwaitedState::Missing => "missing",
                AwaitedState::Unknown(_) => "unknown",
            };
            format!("{} {state}", awaited.commit.subject)
        });
        format!("{wanted}; {awaited}")
    }

    #[test]
    fn the_newest_commit_with_its_images_is_wanted() {
        for (commits, images, deployed, expected) in [
            ("CBA", "CBA", None, "C; -"),
            ("CBA", "BA", None, "B; C awaited"),
            ("CBA", "BA", Some('A'), "B; C awaited"),
            ("CBA", "A", Some('A'), "A; C awaited"),
            // What is deployed stays, though its image is gone.
            ("CBA", "", Some('A'), "A; C awaited"),
            // CI never built the newest, and it is long since.
            ("FEDCBA", "", None, "-; F awaited"),
            // An older one is never taken while a newer one may be there.
            ("CBA", "?CBA", Some('A'), "-; C unknown"),
            ("CBA", "?CBA", None, "B; C unknown"),
            ("CBA", "B?A", Some('A'), "B; C awaited"),
            // Commits that change nothing give their tags to the version before them.
            ("cB", "c", None, "B; -"),
            ("dcB", "c", None, "B; -"),
            ("Dcba", "c", Some('a'), "a; D awaited"),
            ("", "", None, "-; -"),
        ] {
            assert_eq!(choice(commits, images, deployed), expected, "{commits} {images} {deployed:?}");
        }
    }

    #[test]
    fn an_image_that_should_be_there_for_long_is_missing() {
        let candidates = candidates(&branch("A"), None);
        let long = jiff::SignedDuration::from_mins(60);
        let state = |now| {
            let choice = choose(&candidates, None, long, at(now), &|_| Built::No);
            choice.awaited.unwrap().state
        };
        assert_eq!(state(160), AwaitedState::Awaited);
        assert_eq!(state(161), AwaitedState::Missing);
    }

    #[test]
    fn a_version_bears_the_names_of_the_commits_after_it() {
        let names: Vec<String> = candidates(&branch("edCbBaA"), None).iter().map(letters).collect();
        assert_eq!(names, ["Cde", "Bb", "Aa"]);
        let names: Vec<String> = candidates(&branch("edCb"), Some(id('d'))).iter().map(letters).collect();
        assert_eq!(names, ["de", "C"], "what is deployed stands for itself");
    }
}
