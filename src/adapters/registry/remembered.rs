//! Remembers what registries answered: what was found stays found, what was not is asked again after a pause that
//! grows.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Found, Registries, RegistryError};
use crate::adapters::clock::Clock;
use crate::model::image::{ImageDigest, ImageRepository, ImageTag};

/// So many images are remembered, of those that exist and of those that do not.
const CAPACITY: usize = 10_000;

/// The first pause before an image that does not exist is asked for again, and the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(2);

/// Registries that are asked only for what is not known. Errors are not remembered.
pub struct Remembered<R> {
    registries: R,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

impl<R> Remembered<R> {
    /// Knows nothing yet.
    pub fn new(registries: R, clock: Arc<dyn Clock>) -> Self {
        Self { registries, clock, memory: Mutex::new(Memory::new(CAPACITY)) }
    }

    /// The registries themselves: for who has to know what a tag is now, whatever it was.
    pub fn unremembered(&self) -> &R {
        &self.registries
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<R: Registries> Registries for Remembered<R> {
    async fn find(&self, repository: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError> {
        let image = |tag: &ImageTag| Image { repository: repository.clone(), name: Name::Tag(tag.clone()) };
        let mut found = Found::default();
        let mut unknown = Vec::new();
        {
            let (mut memory, now) = (self.memory(), self.clock.steady());
            for tag in tags {
                match memory.recall(&image(tag), now) {
                    Recall::Found(digest) => drop(found.images.insert(tag.clone(), digest)),
                    Recall::Absent { repository_missing } => found.repository_missing |= repository_missing,
                    Recall::Unknown => unknown.push(tag.clone()),
                }
            }
        }
        if !unknown.is_empty() {
            let answer = self.registries.find(repository, &unknown).await?;
            let (mut memory, now) = (self.memory(), self.clock.steady());
            for tag in unknown {
                memory.learn(image(&tag), answer.images.get(&tag).copied(), answer.repository_missing, now);
            }
            found.repository_missing = answer.repository_missing;
            found.images.extend(answer.images);
        }
        found.repository_missing &= found.images.is_empty();
        Ok(found)
    }

    async fn has(&self, repository: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError> {
        let image = Image { repository: repository.clone(), name: Name::Digest(*digest) };
        let recalled = self.memory().recall(&image, self.clock.steady());
        match recalled {
            Recall::Found(_) => Ok(true),
            Recall::Absent { .. } => Ok(false),
            Recall::Unknown => {
                let has = self.registries.has(repository, digest).await?;
                self.memory().learn(image, has.then_some(*digest), false, self.clock.steady());
                Ok(has)
            }
        }
    }
}

/// What is remembered, by repository and tag or digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Image {
    repository: ImageRepository,
    name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Tag(ImageTag),
    Digest(ImageDigest),
}

/// The bookkeeping, without anybody to ask: the time is an argument.
struct Memory {
    found: Bounded<ImageDigest>,
    absent: Bounded<Absence>,
}

/// An image that was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Absence {
    /// When it is asked for again.
    due: Timestamp,
    /// How long that was from the last time.
    pause: SignedDuration,
    /// Whether its repository was not there either.
    repository_missing: bool,
}

/// What is known of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recall {
    Found(ImageDigest),
    /// It was not there, so lately that it is not asked for again.
    Absent {
        repository_missing: bool,
    },
    Unknown,
}

impl Memory {
    fn new(capacity: usize) -> Self {
        Self { found: Bounded::new(capacity), absent: Bounded::new(capacity) }
    }

    fn recall(&mut self, image: &Image, now: Timestamp) -> Recall {
        if let Some(digest) = self.found.get(image) {
            return Recall::Found(digest);
        }
        match self.absent.get(image) {
            Some(absence) if now < absence.due => {
                Recall::Absent { repository_missing: absence.repository_missing }
            }
            _ => Recall::Unknown,
        }
    }

    fn learn(&mut self, image: Image, found: Option<ImageDigest>, repository_missing: bool, now: Timestamp) {
        if let Some(digest) = found {
            self.absent.remove(&image);
            self.found.put(image, digest);
            return;
        }
        let last = self.absent.get(&image).map(|absence| absence.pause);
        let pause = last.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        let due = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        self.absent.put(image, Absence { due, pause, repository_missing });
    }
}

/// So many entries; what was not used for longest goes first.
struct Bounded<V> {
    capacity: usize,
    entries: HashMap<Image, (u64, V)>,
    /// By the moment of their last use, which is a number of its own.
    uses: BTreeMap<u64, Image>,
    next: u64,
}

impl<V: Copy> Bounded<V> {
    fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), uses: BTreeMap::new(), next: 0 }
    }

    fn get(&mut self, image: &Image) -> Option<V> {
        let next = self.next;
        let (used, value) = self.entries.get_mut(image)?;
        let image = self.uses.remove(used)?;
        *used = next;
        self.uses.insert(next, image);
        self.next += 1;
        Some(*value)
    }

    fn put(&mut self, image: Image, value: V) {
        self.remove(&image);
        self.entries.insert(image.clone(), (self.next, value));
        self.uses.insert(self.next, image);
        self.next += 1;
        if self.entries.len() > self.capacity
            && let Some((_, oldest)) = self.uses.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    fn remove(&mut self, image: &Image) {
        if let Some((used, _)) = self.entries.remove(image) {
            self.uses.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(tag: &str) -> Image {
        Image { repository: "r.example.com/web".parse().unwrap(), name: Name::Tag(tag.parse().unwrap()) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_is_absent_is_asked_again_after_growing_pauses() {
        let mut memory = Memory::new(10);
        assert_eq!(memory.recall(&image("a"), at(0)), Recall::Unknown);
        let mut now = 0;
        for pause in [10, 20, 40, 80, 120, 120] {
            memory.learn(image("a"), None, pause == 20, at(now));
            let absent = Recall::Absent { repository_missing: pause == 20 };
            assert_eq!(memory.recall(&image("a"), at(now + pause - 1)), absent, "{pause}");
            assert_eq!(memory.recall(&image("a"), at(now + pause)), Recall::Unknown, "{pause}");
            // Nobody asked for a while: that makes no pause longer.
            now += pause + 1000;
        }
        let digest = ImageDigest::of(b"a");
        memory.learn(image("a"), Some(digest), false, at(now));
        assert_eq!(memory.recall(&image("a"), at(now + 1_000_000)), Recall::Found(digest));
        assert_eq!(memory.recall(&image("b"), at(now)), Recall::Unknown);
    }

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let mut memory = Memory::new(3);
        let known = |memory: &mut Memory| {
            ["a", "b", "c", "d"].map(|tag| memory.found.entries.contains_key(&image(tag)))
        };
        for tag in ["a", "b", "c"] {
            memory.learn(image(tag), Some(ImageDigest::of(tag.as_bytes())), false, at(0));
        }
        memory.recall(&image("a"), at(1));
        memory.learn(image("d"), Some(ImageDigest::of(b"d")), false, at(2));
        assert_eq!(known(&mut memory), [true, false, true, true]);
        assert_eq!(memory.found.uses.len(), 3);
        for tag in ["e", "f", "g", "h"] {
            memory.learn(image(tag), None, false, at(3));
        }
        assert_eq!((memory.absent.entries.len(), memory.absent.uses.len()), (3, 3));
        assert_eq!(memory.recall(&image("e"), at(3)), Recall::Unknown);
    }

    /// A registry with one image, that counts what it is asked.
    #[derive(Default)]
    struct Counting(Mutex<Vec<String>>);

    #[async_trait]
    impl Registries for Counting {
        async fn find(&self, _: &ImageRepository, tags: &[ImageTag]) -> Result<Found, RegistryError> {
            let list: Vec<&str> = tags.iter().map(ImageTag::as_str).collect();
            self.0.lock().unwrap().push(list.join(" "));
            if list.contains(&"broken") {
                return Err(RegistryError::Throttled { host: "r".to_owned(), retry_after: None });
            }
            let there = tags.iter().filter(|tag| tag.as_str() == "there");
            Ok(Found {
                images: there.map(|tag| (tag.clone(), ImageDigest::of(b"there"))).collect(),
                repository_missing: false,
            })
        }

        async fn has(&self, _: &ImageRepository, digest: &ImageDigest) -> Result<bool, RegistryError> {
            self.0.lock().unwrap().push(digest.to_string());
            Ok(*digest == ImageDigest::of(b"there"))
        }
    }

    struct Still(Mutex<i64>);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            panic!("pauses are counted by the clock that nobody sets")
        }

        fn steady(&self) -> Timestamp {
            at(*self.0.lock().unwrap())
        }
    }

    #[tokio::test]
    async fn only_what_is_not_known_is_asked() {
        let clock = Arc::new(Still(Mutex::new(0)));
        let registries = Remembered::new(Counting::default(), clock.clone());
        let repository: ImageRepository = "r.example.com/web".parse().unwrap();
        let tags = |list: &[&str]| list.iter().map(|tag| tag.parse().unwrap()).collect::<Vec<ImageTag>>();
        let asked = || std::mem::take(&mut *registries.unremembered().0.lock().unwrap());
        for (time, list, questions) in [
            (0, &["there", "awaited"][..], &["there awaited"][..]),
            (5, &["there", "awaited"], &[]),
            (10, &["there", "awaited"], &["awaited"]),
            (29, &["there", "awaited"], &[]),
            (30, &["there", "awaited", "new"], &["awaited new"]),
        ] {
            *clock.0.lock().unwrap() = time;
            let found = registries.find(&repository, &tags(list)).await.unwrap();
            let names: Vec<&str> = found.images.keys().map(ImageTag::as_str).collect();
            assert_eq!(
                (names.as_slice(), asked()),
                (&["there"][..], questions.iter().map(|text| (*text).to_owned()).collect()),
                "{time}"
            );
        }
        for _ in 0..2 {
            assert!(registries.find(&repository, &tags(&["there", "broken"])).await.is_err());
            assert_eq!(asked(), ["broken"], "an error is not remembered");
        }
        for (bytes, expected) in [(&b"there"[..], true), (b"other", false)] {
            for questions in [1, 0] {
                let has = registries.has(&repository, &ImageDigest::of(bytes)).await.unwrap();
                assert_eq!((has, asked().len()), (expected, questions));
            }
        }
    }
}
