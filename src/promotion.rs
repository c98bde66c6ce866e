//! Moving versions from one environment to the next: what is pending, and the edits of files that promote it or take it
//! back. Pure: histories and files go in, rows and edits come out; nothing here reads or pushes.

mod edit;
mod pending;

pub use edit::{EditError, PinEdit, edit_pins};
pub use pending::{Candidate, PendingRow, PendingState, Side, pending_row};
