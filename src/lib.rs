//! moorline keeps Kubernetes clusters moored to Git: it polls code and config repositories, renders what each
//! environment asks for, compares that with the live cluster, heals drift, and records what was deployed.
//!
//! # The way of a commit
//!
//! ```text
//!   config repository      code repositories               cluster
//!          │                      │                    (watches, inventory)
//!          ▼                      ▼                           │
//!       desired ──► helm ──► render ──► manifests             │
//!                                          │                  ▼
//!                                          └──► diff ◄── live records ──► health
//!                                                 │                         │
//!                                                 └────────► sync ◄─────────┘
//!                                                             │ one plan: steps, and holds with reasons
//!                                                             ├──► report ──► command line, dashboard, JSON
//!                                                             ▼
//!                                 reconciler: act ──► outcome, folded; record ──► ledger (state repository)
//! ```
//!
//! The modules below stand in this order. The first group is pure: files, objects and the time go in, values come
//! out; no async, no IO, no clock, no client, no logging. The second group is the shell: the only code that awaits.
//! `tests/it/architecture.rs` checks both, and the arrows. [`helm`] and [`sandbox`] need nothing of the rest: they are
//! packages of their own, and this one names them.
//!
//! # What must hold
//!
//! - Every write goes through [`cluster::writer::Writer`], which asks the lease first; objects of applications are written
//!   by `reconciler/act` alone (`tests/it/architecture.rs`).
//! - The loop ([`reconciler`]) awaits nothing but its events: whoever is slow, silent or broken concerns only those who
//!   need him (`tests/it/reconciler/silence.rs`).
//! - After `kill -9` everything comes back from Git, the cluster and the state repository
//!   (`tests/it/reconciler/kill.rs`); how far a rollout had come and what it had created stands beside its set
//!   (`a_rollout_goes_on_after_a_restart` there). A tick takes no input but its [`sync::Observation`].
//! - The planner decides everything, and the executor nothing: the tables of `tests/it/plans` are the whole of what can
//!   be decided, and name each reason to hold.
//! - What a newer moorline wrote is held and never written over; what this one writes it reads for ever
//!   (`tests/it/formats.rs`).
//! - One daemon of an instance writes to a cluster, and a second changes nothing
//!   (`a_second_daemon_watches_and_takes_over` in `tests/it/reconciler/silence.rs`, and the simulation).
//! - A step that is not taken has a reason, a variant of [`model::hold::HoldReason`] (`tests/it/simulation`).
//! - Nothing is deleted that is not in the inventory, nor because something could not be read
//!   (`tests/it/reconciler/absence.rs`).
//! - No value of a Secret is printed, logged or recorded; keyed fingerprints are
//!   (`no_value_of_a_secret_leaves_the_secrets` in `tests/it/reconciler/rollout.rs`).
//!
//! # A walk: a commit reaches the cluster
//!
//! A task of its own asks the config repository for its head ([`source`]) and rings. The reader, another task, turns what
//! repositories published last into what every application wants ([`reconciler::observe`]): the files become applications
//! ([`desired`]), each is rendered ([`render`], charts by [`helm`]) unless its inputs are those of last time. The loop
//! ([`reconciler`]) joins that with the heads of the clusters ([`cluster`]) and puts into its queue what changed. For each
//! application a tick makes an [`sync::Observation`], with its live records ([`cluster::live`]); [`sync::plan()`]
//! decides; [`reconciler::act`] carries the plan out up to the first wait and tells what came of it, which
//! [`sync::Observation::fold`] takes in. In a rollout, the rendered set is written to the cluster (with how far the rollout has come, [`inventory`]),
//! objects are applied wave by wave, and when all are healthy the head is switched. The record goes to the state
//! repository by a queue of its own ([`reconciler::record`], [`ledger`]); what people are shown is put into words by
//! [`report`].

// Pure, in the order of the pipeline.
pub mod model;

pub mod desired;
pub use moorline_helm as helm;

pub mod render;

pub mod diff;
pub mod health;

pub mod sync;

pub mod inventory;
pub mod promotion;

pub mod ledger;

pub mod report;

// Shells: the only places that await.
pub mod adapters;
pub mod source;

pub mod cluster;

pub mod reconciler;

pub mod server;
pub use moorline_sandbox as sandbox;

// The process.
pub mod cli;
pub mod demo;
pub mod settings;
pub mod telemetry;
