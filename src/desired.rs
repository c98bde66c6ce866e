//! The config repository at one revision → the applications it asks for, or every fault found. Pure: files in,
//! values out. What a chart renders to is the business of `helm` and `render`.
//!
//! [`ConfigRepository::read`] parses `moorline.yaml`, `services/` and the environments' folders strictly;
//! [`ConfigRepository::applications`] resolves one environment (RULES §1).

mod application;
mod choice;
mod configuration;
mod dependencies;
mod document;
mod environment;
mod keys;
mod nearest;
mod pins;
mod positions;
mod resolver;
mod schema;
mod service;
mod strays;
mod umbrella;

pub use application::{Application, Code, CodeRevision, Image, Layer, Origin, Random, ValuesSchema};
pub use choice::{Awaited, AwaitedState, Built, Candidate, Choice, candidates, choose};
pub use configuration::{Configuration, Defaults, EnvironmentSettings, SyncSettings};
pub(crate) use dependencies::{Home, Outside, outside};
pub use dependencies::{Supplied, Supply};
pub use document::parse_duration;
pub use environment::{ConfigRepository, Environment};
pub use nearest::nearest;
pub use pins::Pin;
pub use schema::schema;
pub use service::{Allow, ChartSource, ImageSource, ManifestSource, Service};
pub use umbrella::{Umbrella, UnusableChart, chart_of};
