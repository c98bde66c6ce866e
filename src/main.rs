//! Parses arguments and dispatches to one command.
fn main() {}
