//! The quick tier's integration tests: one binary.
mod server;
