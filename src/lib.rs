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
//!                                            reconciler: act ──► record ──► ledger (state repository)
//! ```
//!
//! The modules below stand in this order. The first group is pure: files, objects and the time go in, values come
//! out; no async, no IO, no clock, no client, no logging. The second group is the shell: the only code that awaits.
//! `tests/it/architecture.rs` checks both, and the arrows. [`helm`] and [`sandbox`] need nothing of the rest: they are
//! packages of their own, and this one names them.
//!
//! # What must hold
//!
//! - Only `reconciler/act` writes to a cluster, and it makes no choice that is not in the plan.
//! - A tick depends on what it observes, on nothing that the process remembers: after `kill -9` all state comes back
//!   from Git, the cluster and the state repository (`tests/it/reconciler/kill.rs`).
//! - A step that is not taken has a reason, a variant of [`model::hold::HoldReason`].
//! - Nothing is deleted that is not in the inventory, nor because something could not be read
//!   (`tests/it/reconciler/absence.rs`).
//! - No value of a Secret is printed, logged or recorded; keyed fingerprints are.
//!
//! # A walk: a commit reaches the cluster
//!
//! [`reconciler::run`] asks the config repository for its head ([`reconciler::observe`]); the files become
//! applications ([`desired`]), each is rendered ([`render`], charts by [`helm`]) unless its inputs are those of last
//! time. For each application a tick looks up its live records ([`reconciler::live`]), [`sync::plan()`] decides, and
//! [`reconciler::act`] carries the plan out up to the first wait: the rendered set is written to the cluster (the
//! intent), objects are applied wave by wave, and when all are healthy the head is switched. The record goes to the
//! state repository by a queue of its own ([`reconciler::record`], [`ledger`]). What people are shown of all this is
//! put into words and values once ([`report`]): for the command line, the dashboard and programs.

// Pure, in the order of the pipeline.
pub mod model;

pub mod desired;
pub use moorline_helm as helm;

pub mod render;

pub mod diff;
pub mod health;

pub mod sync;

pub mod ledger;

pub mod report;

// Shells: the only places that await.
pub mod adapters;
pub mod reconciler;
pub use moorline_sandbox as sandbox;
pub mod server;

// The process.
pub mod cli;
pub mod demo;
pub mod settings;
pub mod telemetry;
