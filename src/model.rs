//! Nouns as types, parsed at the edge: identifiers, states, files, objects. No behaviour beyond parsing,
//! printing and comparing; names nothing outside itself.

pub mod chart;
pub mod digest;
pub mod drift;
pub mod error;
pub mod facts;
pub mod fault;
pub mod health;
pub mod history;
pub mod hold;
pub mod image;
pub mod inventory;
pub mod kinds;
pub mod live;
pub mod manifest;
pub mod name;
pub mod policy;
pub mod record;
pub mod resource;
pub mod source;
