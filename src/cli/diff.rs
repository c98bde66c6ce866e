//! temp
use clap::Args;
use crate::settings::CommonArguments;
use super::output::Failure;
use std::process::ExitCode;
#[derive(Args, Debug)]
pub(super) struct DiffArguments {}
pub(super) fn run(_: &CommonArguments, _: &DiffArguments) -> Result<ExitCode, Failure> { Ok(ExitCode::SUCCESS) }
