//! One event → one readable line. Whatever a message or field holds, it stays on its line and cannot speak to the
//! terminal: control characters are written as escapes.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// The longest value written; longer ones are cut with their length told.
const VALUE_LIMIT: usize = 2000;

/// `time LEVEL message field=value …`.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let paint = Paint(writer.has_ansi_escapes());
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = *event.metadata().level();
        write!(writer, "{} {} ", paint.dim(&time), paint.level(level, &format!("{level:>5}")))?;
        // A line of ours reads as a sentence; where another crate speaks, one wants to know which.
        let speaker = event.metadata().target();
        if !speaker.starts_with("moorline") {
            write!(writer, "{} ", paint.dim(&format!("{speaker}:")))?;
        }
        writer.write_str(&parts.message)?;
        for (name, value) in &parts.fields {
            write!(writer, " {}{}", paint.dim(&format!("{name}=")), value)?;
        }
        writeln!(writer)
    }
}

struct Paint(bool);

impl Paint {
    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn level(&self, level: Level, text: &str) -> String {
        let code = match level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            _ => "2",
        };
        self.with(code, text)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[derive(Default)]
struct Parts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Parts {
    fn add(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            self.message = harmless(text);
        } else {
            self.fields.push((field.name(), quoted(text)));
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// The text without control characters and not longer than the limit.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, char) in text.chars().enumerate() {
        if index == VALUE_LIMIT {
            let _ = write!(out, "… ({} bytes)", text.len());
            break;
        }
        // Beside control characters: those that reorder text on a terminal.
        if char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// The text, in quotes where a reader could not tell where it ends.
fn quoted(text: &str) -> String {
    let plain = harmless(text);
    if plain.is_empty() || plain.contains([' ', '"', '=']) {
        format!("\"{}\"", plain.replace('"', "\\\""))
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(colours: bool, say: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(colours)
            .event_format(Line)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, say);
        let bytes = kept.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn a_decision_is_one_line_with_dotted_fields() {
        let seen = lines(false, || {
            tracing::info!(application.name = %"dev/web", plan.steps = 3, "Rolled out dev/web");
            tracing::warn!(target: "kube", error = "no route to host", "watch failed");
        });
        assert_eq!(
            seen,
            [
                " INFO Rolled out dev/web application.name=dev/web plan.steps=3",
                " WARN kube: watch failed error=\"no route to host\"",
            ]
        );
    }

    #[test]
    fn names_of_fields_may_be_constants() {
        let seen = lines(false, || {
            tracing::info!({ crate::telemetry::field::SERVICE } = "web", "Done");
        });
        assert_eq!(seen, [" INFO Done application.service=web"]);
    }

    #[test]
    fn hostile_text_stays_on_its_line_and_cannot_colour() {
        let hostile = "a\nERROR forged\r\x1b[31m\u{202e}";
        let seen = lines(false, || tracing::info!(error = hostile, "{hostile}"));
        let [line] = &seen[..] else { panic!("{seen:?}") };
        assert!(!line.chars().any(char::is_control), "{line}");
        assert!(line.contains("\\nERROR forged\\r\\u{1b}[31m\\u{202e}"), "{line}");
    }

    #[test]
    fn long_values_are_cut() {
        let seen = lines(false, || tracing::info!(error = "x".repeat(5000), "Long"));
        assert!(seen[0].len() < 2100 && seen[0].ends_with("… (5000 bytes)\""), "{}", seen[0].len());
    }

    #[test]
    fn colours_only_where_asked() {
        let say = || tracing::error!(error = "x", "Bad");
        assert!(!lines(false, say)[0].contains('\x1b'));
        assert!(lines(true, say)[0].contains("\x1b[31mERROR"));
    }
}
