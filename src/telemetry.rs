//! What the process says of itself: log lines and metrics. Names fields and metrics in one place; knows the words
//! of the model and nothing else, and decides nothing.

pub mod field;
mod line;
mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt;
pub use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

pub use metrics::{ApiResult, ApiVerb, GitOperation, Metrics, RequestResult};

/// What is logged where nobody asks for more or less.
pub const DEFAULT_FILTER: &str = "warn,moorline=info";

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The word used in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitTelemetryError {
    /// The filter is not understood.
    #[error("the log filter {filter:?} is not understood")]
    Filter {
        /// As given.
        filter: String,
        /// Why.
        source: ParseError,
    },
    /// Somebody else was faster.
    #[error("logging is set up already")]
    Twice(#[from] TryInitError),
}

/// Logs to `writer` from here on. `colours` says whether it shows them; `NO_COLOR` is the business of whoever reads
/// the environment ([`wants_colours`]).
pub fn init(
    format: LogFormat,
    filter: &str,
    colours: bool,
    writer: BoxMakeWriter,
) -> Result<(), InitTelemetryError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| InitTelemetryError::Filter { filter: filter.to_owned(), source })?;
    let builder = fmt::Subscriber::builder().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Text => builder.with_ansi(colours).event_format(line::Line).finish().try_init()?,
        LogFormat::Json => builder
            .with_ansi(false)
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .try_init()?,
    }
    Ok(())
}

/// Whether to colour: on a terminal, unless `NO_COLOR` is set to anything but nothing (no-color.org).
pub fn wants_colours(is_terminal: bool, no_color: Option<&str>) -> bool {
    is_terminal && no_color.is_none_or(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_no_objection() {
        for (terminal, no_color, wanted) in
            [(true, None, true), (true, Some(""), true), (true, Some("1"), false), (false, None, false)]
        {
            assert_eq!(wants_colours(terminal, no_color), wanted, "{terminal} {no_color:?}");
        }
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error =
            init(LogFormat::Text, "moorline=loud", false, BoxMakeWriter::new(std::io::sink)).unwrap_err();
        assert_eq!(error.to_string(), "the log filter \"moorline=loud\" is not understood");
    }
}
