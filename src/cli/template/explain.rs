//! Draws what is known of a failed render below Helm's words: the line, the way there, the value
//! that is missing. Decides nothing and prints nothing.

use crate::cli::output::paint;
use crate::helm::{Excerpt, MissingValue, RenderError, RenderFault, TraceStep, UnfitValue};

/// When a failure is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Explain {
    /// Where standard error is a terminal.
    Auto,
    /// Always.
    Always,
    /// Helm's words alone.
    Never,
}

impl Explain {
    /// Whether to explain.
    pub(in crate::cli) fn applies(self, terminal: bool) -> bool {
        match self {
            Self::Auto => terminal,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How it looks.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Look {
    /// Whether there are colours.
    pub colours: bool,
}

/// The widest part of a line that is shown, in characters.
const WIDTH: usize = 140;
/// How many steps are shown: a recursion has thousands.
const STEPS: usize = 12;

const RED: &str = "1;31";
const BLUE: &str = "1;34";
const CYAN: &str = "36";

/// The explanation of a failed render; empty if nothing more is known.
pub(in crate::cli) fn draw(error: &RenderError, look: Look) -> String {
    let explanation = &error.explanation;
    let mut drawing = Drawing { look, margin: margin(error), out: String::new() };
    if let Some(step) = explanation.steps.first() {
        drawing.arrow(&format!("{}:{}:{}", step.template, step.line, step.column));
        drawing.bar();
        drawing.expression(step);
    } else if let Some(excerpt) = &explanation.excerpt {
        drawing.excerpt(error, excerpt);
    }
    drawing.steps(explanation.steps.get(1..).unwrap_or(&[]));
    if let Some(missing) = &explanation.missing {
        drawing.missing(missing);
    }
    for value in &explanation.unfit {
        drawing.unfit(value);
    }
    if let RenderFault::Limit(limit) = error.fault {
        let of = error.template.as_ref().map(|template| format!(", template {template}")).unwrap_or_default();
        drawing.note(&format!("limit of {limit}: chart {}{of}", error.chart));
    }
    if drawing.out.is_empty() { String::new() } else { format!("\n{}", drawing.out) }
}

/// The digits of the largest line number.
fn margin(error: &RenderError) -> usize {
    let excerpt = error.explanation.excerpt.as_ref().map_or(0, |excerpt| excerpt.first + excerpt.lines.len());
    let step = error.explanation.steps.first().map_or(0, |step| step.line);
    excerpt.max(step).to_string().len()
}

/// A line without what a terminal would obey, with blanks for tabs.
fn plain(text: &str) -> String {
    text.trim_end_matches('\r')
        .chars()
        .map(|character| match character {
            '\t' => ' ',
            _ if character.is_control() => '\u{FFFD}',
            _ => character,
        })
        .collect()
}

struct Drawing {
    look: Look,
    margin: usize,
    out: String,
}

impl Drawing {
    fn painted(&self, text: &str, code: &str) -> String {
        paint(text, code, self.look.colours)
    }

    fn push(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn arrow(&mut self, place: &str) {
        let line = format!("{}{} {}", " ".repeat(self.margin), self.painted("-->", BLUE), plain(place));
        self.push(&line);
    }

    fn bar(&mut self) {
        let line = format!("{} {}", " ".repeat(self.margin), self.painted("|", BLUE));
        self.push(&line);
    }

    fn note(&mut self, text: &str) {
        let line = format!("{} {} {}", " ".repeat(self.margin), self.painted("=", BLUE), plain(text));
        self.push(&line);
    }

    fn numbered(&mut self, number: usize, text: &str) {
        let shown = self.painted(&format!("{number:>width$} |", width = self.margin), BLUE);
        let line = format!("{shown} {text}");
        self.push(&line);
    }

    /// Marks under a line, from a character on.
    fn marks(&mut self, from: usize, count: usize) {
        let bar = self.painted("|", BLUE);
        let marks = self.painted(&"^".repeat(count.max(1)), RED);
        let line = format!("{} {bar} {}{marks}", " ".repeat(self.margin), " ".repeat(from));
        self.push(&line);
    }

    /// A line with marks under the expression, which a byte column lies in.
    fn expression(&mut self, step: &TraceStep) {
        let (from, count) = span(&step.text, step.column, &step.expression);
        self.marked(step.line, &step.text, from, count);
    }

    fn marked(&mut self, number: usize, text: &str, from: usize, count: usize) {
        let text: Vec<char> = plain(text).chars().collect();
        // Of a very long line only the part around the place is shown.
        let skipped = if text.len() > WIDTH { from.saturating_sub(WIDTH / 2) } else { 0 };
        let shown: String = text.iter().skip(skipped).take(WIDTH).collect();
        let (from, room) = (from - skipped, shown.chars().count());
        self.numbered(number, &shown);
        self.marks(from.min(room), count.min(room.saturating_sub(from)));
    }

    fn excerpt(&mut self, error: &RenderError, excerpt: &Excerpt) {
        let what = if error.fault == RenderFault::Output { "output of " } else { "" };
        let place = [error.line, error.column].into_iter().flatten().map(|number| format!(":{number}"));
        let place: String = place.collect();
        let template = error.template.as_deref().unwrap_or(&error.chart);
        self.arrow(&format!("{what}{template}{place}"));
        self.bar();
        for (number, text) in (excerpt.first..).zip(&excerpt.lines) {
            if Some(number) == error.line {
                let indent = text.chars().take_while(|character| character.is_whitespace()).count();
                let whole = text.trim().chars().count();
                match error.column {
                    Some(column) => self.marked(number, text, characters(text, column - 1), 1),
                    None => self.marked(number, text, indent, whole),
                }
            } else {
                let shown: String = plain(text).chars().take(WIDTH).collect();
                self.numbered(number, &shown);
            }
        }
    }

    /// Which template included which, from the innermost outwards.
    fn steps(&mut self, steps: &[TraceStep]) {
        for step in steps.iter().take(STEPS) {
            let within =
                if step.within == step.template { String::new() } else { format!(" in {:?}", step.within) };
            let place = format!("{}:{}:{}", step.template, step.line, step.column);
            let expression: String = step.expression.chars().take(WIDTH).collect();
            self.note(&format!("called at {place}{within}: {expression}"));
        }
        if let Some(more) = steps.len().checked_sub(STEPS).filter(|more| *more > 0) {
            self.note(&format!("and {more} more calls"));
        }
    }

    fn missing(&mut self, missing: &MissingValue) {
        let sentence = self.painted(&plain(&missing.to_string()), CYAN);
        let line = format!("{} {} {sentence}", " ".repeat(self.margin), self.painted("=", BLUE));
        self.push(&line);
        let Some(path) = &missing.path else {
            return;
        };
        self.note(&format!("hint: set {path} in a file given with -f, or with --set {path}=…"));
        if let Some(chart) = &missing.subchart {
            self.note(&format!("      (the chart {chart} sees as .Values what stands below `{chart}:`)"));
        } else if path.starts_with("global.") {
            self.note("      (all charts see what stands below `global:`)");
        }
    }

    fn unfit(&mut self, value: &UnfitValue) {
        let path =
            if value.path.is_empty() { ".Values".to_owned() } else { format!(".Values.{}", value.path) };
        match &value.value {
            Some(shown) => {
                let shown: String = shown.chars().take(WIDTH).collect();
                self.note(&format!("{path} is {shown}"));
            }
            None => self.note(&path),
        }
    }
}

/// How many characters the first bytes of a text are.
fn characters(text: &str, bytes: usize) -> usize {
    text.char_indices().take_while(|(index, _)| *index < bytes).count()
}

/// The characters of an expression in a line that a byte column (from 1) lies in; the column alone
/// where the source is not written as Go prints it.
fn span(text: &str, column: usize, expression: &str) -> (usize, usize) {
    let column = column - 1;
    let found = text.match_indices(expression).map(|(start, _)| start);
    let mut around = found.filter(|start| *start <= column && column <= start + expression.len());
    match around.next().filter(|_| !expression.is_empty()) {
        Some(start) => (characters(text, start), expression.chars().count()),
        None => (characters(text, column), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, draw, plain, span};
    use crate::helm::{Chart, Engine, RenderInput, Values};

    fn explained(files: &[(&str, &str)], values: &str) -> String {
        let chart = ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
        let files =
            files.iter().chain([&chart]).map(|(path, text)| ((*path).to_owned(), text.as_bytes().into()));
        let input =
            RenderInput { layers: vec![Values::parse(values.as_bytes()).unwrap()], ..RenderInput::default() };
        let error = Engine::default().render(&Chart::from_files(files).unwrap(), &input).unwrap_err();
        draw(&error, Look { colours: false })
    }

    #[test]
    fn a_missing_value_is_named_with_the_way_there() {
        let files = [
            ("templates/_names.tpl", "{{ define \"host\" }}\n{{ .Values.ingress.host }}\n{{ end }}"),
            ("templates/a.yaml", "a: {{ include \"host\" . }}\n"),
        ];
        assert_eq!(
            explained(&files, "{}"),
            r#"
 --> shop/templates/_names.tpl:2:11
  |
2 | {{ .Values.ingress.host }}
  |    ^^^^^^^^^^^^^^^^^^^^
  = called at shop/templates/a.yaml:1:7: include "host" .
  = .Values.ingress.host: "ingress" is not set
  = hint: set ingress.host in a file given with -f, or with --set ingress.host=…
"#
        );
    }

    #[test]
    fn a_value_of_a_subchart_is_named_by_its_whole_path() {
        let files = [
            ("charts/api/Chart.yaml", "apiVersion: v2\nname: api\nversion: 1.0.0\n"),
            ("charts/api/values.yaml", "db: {}\n"),
            (
                "charts/api/templates/a.yaml",
                "a: {{ with .Values.db }}b{{ else }}{{ required \"no user\" .Values.db.user }}{{ end }}\n",
            ),
        ];
        assert_eq!(
            explained(&files, "{}"),
            r#"
 --> shop/charts/api/templates/a.yaml:1:39
  |
1 | a: {{ with .Values.db }}b{{ else }}{{ required "no user" .Values.db.user }}{{ end }}
  |                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = .Values.db.user: "user" is not set
  = hint: set api.db.user in a file given with -f, or with --set api.db.user=…
  =       (the chart api sees as .Values what stands below `api:`)
"#
        );
        let piped = [("templates/a.yaml", "a: 1\nb: {{ .Values.name | required \"a name, please\" }}\n")];
        assert_eq!(
            explained(&piped, "name: ''"),
            r#"
 --> shop/templates/a.yaml:2:22
  |
2 | b: {{ .Values.name | required "a name, please" }}
  |                      ^^^^^^^^^^^^^^^^^^^^^^^^^
  = .Values.name: "name" is empty
  = hint: set name in a file given with -f, or with --set name=…
"#
        );
        let compared = [("templates/a.yaml", "é: {{ if lt .Values.count 3 }}{{ end }}\n")];
        assert_eq!(
            explained(&compared, "{}"),
            r#"
 --> shop/templates/a.yaml:1:11
  |
1 | é: {{ if lt .Values.count 3 }}{{ end }}
  |          ^^^^^^^^^^^^^^^^^^
  = .Values.count: "count" is not set
  = hint: set count in a file given with -f, or with --set count=…
"#
        );
    }

    #[test]
    fn broken_templates_and_output_show_their_lines() {
        assert_eq!(
            explained(&[("templates/a.yaml", "a: 1\nb: {{ if }}\n")], "{}"),
            "
 --> shop/templates/a.yaml:2
  |
1 | a: 1
2 | b: {{ if }}
  | ^^^^^^^^^^^
3 |
"
        );
        let output = "a: 1\nb:\n  c: 2\n d: 3\ne: 4\n";
        assert_eq!(
            explained(&[("templates/a.yaml", output)], "{}"),
            "
 --> output of shop/templates/a.yaml:4:2
  |
1 | a: 1
2 | b:
3 |   c: 2
4 |  d: 3
  |  ^
5 | e: 4
6 |
"
        );
    }

    #[test]
    fn values_that_a_schema_refuses_are_shown() {
        let schema = r#"{"properties": {"a": {"properties": {"b": {"type": "integer"}}}}}"#;
        assert_eq!(
            explained(&[("values.schema.json", schema)], "a: {b: x}"),
            r#"
  = .Values.a.b is "x"
"#
        );
    }

    #[test]
    fn a_terminal_obeys_nothing_that_a_chart_says() {
        assert_eq!(plain("a:\tb\u{1b}[31m\r"), "a: b\u{FFFD}[31m");
    }

    #[test]
    fn columns_are_bytes_and_marks_are_characters() {
        assert_eq!(span("é: {{ .a.b }}", 10, ".a.b"), (6, 4));
        assert_eq!(span("é: {{ .a }}", 8, "other"), (6, 1));
        assert_eq!(span("", 9, ""), (0, 1));
    }
}
