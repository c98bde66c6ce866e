//! temp
use clap::Args;
use crate::settings::CommonArguments;
use super::output::Failure;
use std::process::ExitCode;
#[derive(Args, Debug)]
pub(super) struct WaitArguments {}
pub(super) fn run(_: &CommonArguments, _: &WaitArguments) -> Result<ExitCode, Failure> { Ok(ExitCode::SUCCESS) }
