//! A store with its controllers: what a front serves and a simulation drives.

use jiff::Timestamp;

use super::controllers::{Controllers, Pace};
use super::request::{Request, Response};
use super::store::Store;

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Its state.
    pub store: Store,
    controllers: Controllers,
}

impl Cluster {
    /// A bare cluster: what it holds depends on the seed and the time alone.
    pub fn new(seed: u64, pace: Pace, now: Timestamp) -> Cluster {
        let mut cluster = Cluster { store: Store::bare(seed, now), controllers: Controllers::new(pace) };
        cluster.step(now);
        cluster
    }

    /// Answers a request.
    pub fn handle(&mut self, request: &Request, now: Timestamp) -> Response {
        self.store.handle(request, now)
    }

    /// Lets the controllers do what is due, and says when something is due again.
    pub fn step(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.controllers.step(&mut self.store, now)
    }
}
