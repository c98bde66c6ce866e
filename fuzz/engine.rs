//! The chart engine alone, under the name of the program: what it is built with is a tenth of what the program is, so that
//! its fuzzers are ready in minutes.

#![allow(dead_code, unreachable_pub, reason = "the program uses more of it than its fuzzers")]

#[path = "../src"]
mod source {
    pub mod helm;
}

pub use source::helm;
