//! Where random values and times of charts come from: remembered, drawn anew, or stand-ins.

use std::sync::Arc;

use super::rendering::{ClusterView, Setting};
use crate::desired::{Application, Random};
use crate::helm::{Chance, Remembered};
use crate::model::digest::HashKey;
use crate::model::name::ApplicationId;

/// Where an application's random values come from. Those of last time count, and above them those that the cluster
/// keeps. New ones come from the instance's key, which came from the operating system's entropy: so `moorline plan`
/// and another daemon of the instance draw the same before they are written for the first time.
pub(super) fn chance(
    application: &Application,
    view: Option<&ClusterView>,
    last: Option<&Remembered>,
    setting: &Setting,
) -> (Chance, [u8; 32]) {
    if setting.options.random || (view.is_some() && application.random == Random::Fresh) {
        // Where there is no entropy, nothing else of the daemon works either: keys are made of it.
        let seed = setting.entropy.key().map_or([0; 32], |key| *key.expose());
        return (Chance::Fresh, seed);
    }
    let Some((view, drawn)) = view.and_then(|view| Some((view, view.drawn.as_ref()?))) else {
        return (Chance::StandIns, [0; 32]);
    };
    let nothing = Remembered::default();
    let last = last.unwrap_or(&nothing);
    let kept = drawn.get(&application.id).map_or(&nothing, |kept| kept);
    let known = kept.or(last).at(setting.now);
    (Chance::Remembered(Arc::new(known)), seed(&view.key, &application.id))
}

/// Random values of charts: secret, because the key is, and the same at every render of an application.
fn seed(key: &HashKey, application: &ApplicationId) -> [u8; 32] {
    let mut seed = [0; 32];
    for (half, tag) in seed.chunks_exact_mut(16).zip([b'0', b'1']) {
        let mut hasher = key.hasher();
        hasher.bytes(tag, application.to_string().as_bytes());
        half.copy_from_slice(hasher.finish().as_bytes());
    }
    seed
}
