//! Which commit of its code an application wants, and which images: the history of its branch and the registries are
//! asked for no more than the choice needs. The choice itself is made in [`crate::desired::choose`].

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Observer, source_hold};
use crate::adapters::registry::RegistryError;
use crate::desired::{
    Application, Awaited, AwaitedState, Built, Candidate, Choice, CodeRevision, Image, candidates, choose,
};
use crate::model::error::{Classified as _, chain};
use crate::model::facts::{Awaiting, ImageState, Version};
use crate::model::history::{MainlineQuestion, PastCommit};
use crate::model::hold::HoldReason;
use crate::model::image::{ImageDigest, ImageReference, ImageRepository, ImageTag};
use crate::model::source::CommitSha;
use crate::render::{WantedCode, WantedImage};

/// So many versions are asked for at once, after the newest alone.
const AT_ONCE: usize = 20;

/// What an application wants of its code.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanting {
    /// The commit with its images.
    pub(super) code: WantedCode,
    /// The full name of the branch.
    pub(super) reference: Option<String>,
    /// A newer commit that is waited for.
    pub(super) awaiting: Option<Awaiting>,
}

/// Why nothing can be wanted, and what is waited for.
#[derive(Debug)]
pub(super) struct NotWanting {
    pub(super) hold: HoldReason,
    pub(super) awaiting: Option<Awaiting>,
}

impl From<HoldReason> for Box<NotWanting> {
    fn from(hold: HoldReason) -> Self {
        Self::new(NotWanting { hold, awaiting: None })
    }
}

/// What registries said in this reading.
#[derive(Default)]
struct Told {
    found: BTreeMap<(ImageRepository, ImageTag), ImageDigest>,
    asked: BTreeSet<(ImageRepository, ImageTag)>,
    failed: BTreeMap<ImageRepository, String>,
    absent_repositories: BTreeSet<ImageRepository>,
}

impl Observer {
    /// The commit and the images; nothing if the application was never promoted.
    pub(super) async fn wanting(
        &self,
        application: &Application,
        deployed: Option<&Version>,
    ) -> Result<Option<Wanting>, Box<NotWanting>> {
        let Some(code) = &application.code else { return Ok(Some(Wanting::default())) };
        match &code.revision {
            CodeRevision::NeverPromoted => Ok(None),
            CodeRevision::Pinned { commit, digest } => {
                let code = self.pinned(application, deployed, *commit, digest.as_deref()).await?;
                Ok(Some(Wanting { code, ..Wanting::default() }))
            }
            CodeRevision::Branch(branch) => {
                let head = self.head_of(&code.repository, branch)?;
                let reference = format!("refs/heads/{branch}");
                self.followed(application, deployed, (reference, head)).await.map(Some)
            }
        }
    }

    async fn followed(
        &self,
        application: &Application,
        deployed: Option<&Version>,
        (reference, head): (String, CommitSha),
    ) -> Result<Wanting, Box<NotWanting>> {
        let paths = application.version_paths();
        // Every commit is a version, and none needs an image: the head is all that matters.
        if paths.is_empty() && application.images.is_empty() {
            let code = WantedCode::tagged(application, head);
            return Ok(Wanting { code, reference: Some(reference), awaiting: None });
        }
        let Some(code) = &application.code else { return Ok(Wanting::default()) };
        let base = deployed.and_then(|version| version.commit);
        let question = MainlineQuestion { reference: reference.clone(), head, paths, base };
        let mainline = self.world.sources.mainline(&code.repository, &question).await;
        let mainline = mainline.map_err(|error| source_hold(&code.repository, &error))?;
        let base = base.filter(|_| mainline.contains_base);
        let candidates = candidates(&mainline, base);
        let (choice, told) = self.choose(application, deployed, &candidates).await;
        let awaiting = choice.awaited.as_ref().map(|awaited| awaiting(application, awaited, &told));
        match choice.wanted {
            Some((commit, name)) => {
                let code = coded(application, deployed, commit.id, name, &told);
                Ok(Wanting { code, reference: Some(reference), awaiting })
            }
            None => {
                let hold = held(application, choice.awaited.as_ref(), awaiting.clone(), head);
                Err(Box::new(NotWanting { hold, awaiting }))
            }
        }
    }

    /// Asks registries until the choice needs no more.
    async fn choose(
        &self,
        application: &Application,
        deployed: Option<&Version>,
        candidates: &[Candidate],
    ) -> (Choice, Told) {
        let mut told = Told::default();
        let base = deployed.and_then(|version| version.commit);
        let is_recorded = base.is_some_and(|base| recorded(application, deployed, base).is_some());
        let kept = (base, is_recorded);
        let missing_after = application.images.iter().map(|image| image.source.missing_after).max();
        let missing_after = missing_after.unwrap_or_default();
        let now = self.world.clock.now();
        loop {
            let (choice, open) = chosen(&application.images, candidates, kept, (missing_after, now), &told);
            let Some(at) = open else { return (choice, told) };
            let more = if at == 0 { 1 } else { AT_ONCE };
            let names = candidates.iter().skip(at).take(more).flat_map(|candidate| candidate.names.clone());
            self.ask(&application.images, &names.collect::<Vec<_>>(), &mut told).await;
        }
    }

    async fn ask(&self, images: &[Image], commits: &[CommitSha], told: &mut Told) {
        for image in images {
            let tags: Vec<ImageTag> = commits.iter().filter_map(|commit| tag(image, *commit)).collect();
            match self.world.registries.find(&image.repository, &tags).await {
                Ok(found) => {
                    if found.repository_missing {
                        told.absent_repositories.insert(image.repository.clone());
                    }
                    let key = |tag: ImageTag| (image.repository.clone(), tag);
                    told.found.extend(found.images.into_iter().map(|(tag, digest)| (key(tag), digest)));
                }
                Err(error) => {
                    told.failed.insert(image.repository.clone(), failed(&error));
                }
            }
            told.asked.extend(tags.into_iter().map(|tag| (image.repository.clone(), tag)));
        }
    }

    /// A pinned commit: its image has to be there, and is found once.
    async fn pinned(
        &self,
        application: &Application,
        deployed: Option<&Version>,
        commit: CommitSha,
        digest: Option<&str>,
    ) -> Result<WantedCode, HoldReason> {
        let mut code = WantedCode::tagged(application, commit);
        if application.images.is_empty() {
            return Ok(code);
        }
        let pinned: Option<ImageDigest> = digest.and_then(|digest| digest.parse().ok());
        if let (Some(digest), Some(image)) = (pinned, code.images.first_mut()) {
            image.digest = Some(digest);
        }
        if let Some(recorded) = recorded(application, deployed, commit).filter(|_| digest.is_none()) {
            code.images = recorded;
        }
        for (image, wanted) in application.images.iter().zip(&mut code.images) {
            if wanted.digest.is_none() {
                wanted.digest = Some(self.found(image, commit).await?);
            }
        }
        Ok(code)
    }

    async fn found(&self, image: &Image, commit: CommitSha) -> Result<ImageDigest, HoldReason> {
        let reference = format!("{}:{}", image.repository, image.tag(commit));
        let Some(tag) = tag(image, commit) else {
            let message = "its tag is none that a registry takes".to_owned();
            return Err(HoldReason::ImageMissing { image: reference, message });
        };
        let found = self.world.registries.find(&image.repository, std::slice::from_ref(&tag)).await;
        let found = found.map_err(|error| HoldReason::ImageUnknown {
            image: reference.clone(),
            message: failed(&error),
        })?;
        let message = absence(found.repository_missing, "the pinned commit");
        found.images.get(&tag).copied().ok_or(HoldReason::ImageMissing { image: reference, message })
    }
}

impl Told {
    /// What is known of a candidate's images; nothing while they were not asked for.
    fn built(&self, images: &[Image], candidate: &Candidate) -> Option<Built> {
        let key = |image: &Image, name| Some((image.repository.clone(), tag(image, name)?));
        let there = |name: &CommitSha| {
            images.iter().all(|image| key(image, *name).is_some_and(|key| self.found.contains_key(&key)))
        };
        if let Some(name) = candidate.names.iter().find(|name| there(name)) {
            return Some(Built::Yes(*name));
        }
        if let Some(message) = images.iter().find_map(|image| self.failed.get(&image.repository)) {
            return Some(Built::Unknown(message.clone()));
        }
        let asked = |name: &CommitSha| {
            images.iter().all(|image| key(image, *name).is_none_or(|key| self.asked.contains(&key)))
        };
        candidate.names.iter().all(asked).then_some(Built::No)
    }
}

/// The choice by what is known so far, and the first candidate of which more has to be known for it.
fn chosen(
    images: &[Image],
    candidates: &[Candidate],
    (deployed, is_recorded): (Option<CommitSha>, bool),
    (missing_after, now): (SignedDuration, Timestamp),
    told: &Told,
) -> (Choice, Option<usize>) {
    let open = Cell::new(None);
    let built = |candidate: &Candidate| {
        // Of what is deployed nobody is asked again.
        if is_recorded && Some(candidate.commit.id) == deployed {
            return Built::Yes(candidate.commit.id);
        }
        told.built(images, candidate).unwrap_or_else(|| {
            let at = candidates.iter().position(|one| one == candidate);
            open.set(open.get().or(at));
            Built::Unknown(String::new())
        })
    };
    let choice = choose(candidates, deployed, missing_after, now, &built);
    (choice, open.get())
}

fn tag(image: &Image, commit: CommitSha) -> Option<ImageTag> {
    image.tag(commit).parse().ok()
}

/// The chosen commit with the images that bear a commit's name.
fn coded(
    application: &Application,
    deployed: Option<&Version>,
    commit: CommitSha,
    name: CommitSha,
    told: &Told,
) -> WantedCode {
    let image = |image: &Image| {
        let tag = image.tag(name);
        let key = tag.parse().ok().map(|tag| (image.repository.clone(), tag));
        WantedImage { digest: key.and_then(|key| told.found.get(&key).copied()), tag }
    };
    let recorded = recorded(application, deployed, commit);
    let images = recorded.unwrap_or_else(|| application.images.iter().map(image).collect());
    WantedCode { commit: Some(commit), images }
}

/// The images with which a commit is deployed already: they stay, whatever became of their tags. Nothing if one of them
/// is not recorded.
fn recorded(
    application: &Application,
    deployed: Option<&Version>,
    commit: CommitSha,
) -> Option<Vec<WantedImage>> {
    let version = deployed.filter(|version| version.commit == Some(commit))?;
    let known: Vec<ImageReference> =
        version.references().iter().filter_map(|text| text.parse().ok()).collect();
    let of = |image: &Image| {
        let reference = known.iter().find(|reference| reference.repository == image.repository)?;
        Some(WantedImage { tag: reference.tag.as_ref()?.to_string(), digest: Some(reference.digest?) })
    };
    application.images.iter().map(of).collect()
}

fn failed(error: &RegistryError) -> String {
    match error.hint() {
        Some(hint) => format!("{}; {hint}", chain(error)),
        None => chain(error),
    }
}

fn absence(repository_missing: bool, what: &str) -> String {
    if repository_missing {
        "the repository does not exist in this registry".to_owned()
    } else {
        format!("there is no image of {what}")
    }
}

fn awaiting(application: &Application, awaited: &Awaited, told: &Told) -> Awaiting {
    let commit = &awaited.commit;
    let absent = |image: &&Image| {
        let key = tag(image, commit.id).map(|tag| (image.repository.clone(), tag));
        key.is_none_or(|key| !told.found.contains_key(&key))
    };
    let image = application.images.iter().find(absent).or(application.images.first());
    let missing = image.is_some_and(|image| told.absent_repositories.contains(&image.repository));
    let (state, message) = match &awaited.state {
        AwaitedState::Awaited => (ImageState::Awaited, missing.then(|| absence(true, ""))),
        AwaitedState::Missing => (ImageState::Missing, Some(absence(missing, "it, and it should be there"))),
        AwaitedState::Unknown(message) => (ImageState::Unknown, Some(message.clone())),
    };
    Awaiting {
        commit: commit.id,
        image: image
            .map(|image| format!("{}:{}", image.repository, image.tag(commit.id)))
            .unwrap_or_default(),
        state,
        since: commit.time,
        author: commit.author.clone(),
        subject: commit.subject.clone(),
        message,
    }
}

/// Why nothing can be taken of a branch.
fn held(
    application: &Application,
    awaited: Option<&Awaited>,
    awaiting: Option<Awaiting>,
    head: CommitSha,
) -> HoldReason {
    let (Some(awaited), Some(awaiting)) = (awaited, awaiting) else {
        let paths: Vec<String> = application.version_paths().iter().map(ToString::to_string).collect();
        return HoldReason::RenderFailed {
            message: format!("no commit up to {} changes {}", head.short(), paths.join(" or ")),
            hint: Some("check `code.path` in the services file".to_owned()),
        };
    };
    let image = awaiting.image.clone();
    let of = |commit: &PastCommit| format!("{} by {} ({})", commit.id.short(), commit.author, commit.subject);
    match &awaited.state {
        AwaitedState::Awaited => HoldReason::ImageAwaited { image, commit: of(&awaited.commit) },
        AwaitedState::Missing => HoldReason::ImageMissing {
            image,
            message: awaiting.message.unwrap_or_else(|| absence(false, &of(&awaited.commit))),
        },
        AwaitedState::Unknown(message) => HoldReason::ImageUnknown { image, message: message.clone() },
    }
}
