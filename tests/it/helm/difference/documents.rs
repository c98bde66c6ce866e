//! Random YAML: many small documents in one chart, each read by `fromYaml` and printed as JSON.

use super::cases::Case;
use super::random::Random;

/// Documents of one case.
const COUNT: usize = 60;

const PLAIN: &[&str] = &[
    "a",
    "b c",
    "1",
    "-2",
    "0x1F",
    "0o17",
    "1_000",
    "1.5",
    "1e3",
    ".inf",
    "-.inf",
    ".nan",
    "yes",
    "off",
    "true",
    "null",
    "~",
    "2001-01-01",
    "12:30:45",
    "9223372036854775808",
    "1.123456789",
    "<<",
    "=",
    "é",
    "😀",
    "a#b",
    "a:b",
    "-x",
    "a'b",
    "?x",
    ":x",
    "%x",
    "@x",
    "`x",
    "!x",
    "&x",
    "*x",
    "[",
    "}",
    "---",
    "...",
    "",
    "0",
    "007",
    "1.",
    ".5",
    "+1",
    "a\\b",
];
/// Keys: no null, of which several in one map are told in random order.
const KEYS: &[&str] = &[
    "a",
    "b",
    "c d",
    "1",
    "1.123456789",
    "1e300",
    "yes",
    "0x10",
    "\"q\"",
    "'s'",
    "é",
    "<<",
    "2001-01-01",
    "a-b",
    "[x]",
];
const TAGS: &[&str] = &[
    "!!str ",
    "!!int ",
    "!!float ",
    "!!bool ",
    "!!null ",
    "!!binary ",
    "!!timestamp ",
    "!!merge ",
    "!!map ",
    "!!seq ",
    "!!set ",
    "! ",
    "!x ",
    "!<tag:yaml.org,2002:str> ",
    "!<x> ",
    "!e!x ",
    "!%41 ",
    "!%4 ",
];
/// What an accident puts in.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\n  ",
    "\n\n",
    "\t",
    "\r\n",
    ":",
    ": ",
    "- ",
    "? ",
    ",",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "#",
    " #x",
    "&a ",
    "*a",
    "*a ",
    "!!str ",
    "!!merge ",
    "<<: ",
    "|",
    "|-\n",
    ">\n",
    ">2\n",
    "'",
    "\"",
    "\\",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "~",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
];

/// A chart of documents.
pub(super) fn documents(random: &mut Random) -> Case {
    let mut case = Case::new("");
    for number in 0..COUNT {
        let mut writer = Writer { random, text: String::new(), anchors: 0 };
        writer.document();
        let text = writer.text;
        case.file(&format!("y/{number:02}"), &text);
    }
    let each =
        "{{ range $path, $_ := .Files }}# {{ $path }} {{ $.Files.Get $path | fromYaml | toJson }}\n{{ end }}";
    case.file("templates/t.yaml", &format!("a: 1\n{each}"));
    case
}

struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    anchors: usize,
}

impl Writer<'_> {
    fn document(&mut self) {
        if self.random.chance(10) {
            self.text.push_str("---\n");
        }
        self.block(0, 0);
        if self.random.chance(5) {
            self.text.push_str("\n---\nsecond: 1\n");
        }
        for _ in 0..if self.random.chance(35) { 1 + self.random.below(3) } else { 0 } {
            self.accident();
        }
    }

    /// Puts something in, or takes something out.
    fn accident(&mut self) {
        let places: Vec<usize> = self.text.char_indices().map(|(at, _)| at).collect();
        let Some(at) = places.get(self.random.below(places.len())).copied() else { return };
        if self.random.chance(30) {
            self.text.remove(at);
        } else {
            let piece = self.random.pick(PIECES);
            self.text.insert_str(at, piece);
        }
    }

    fn properties(&mut self) {
        if self.random.chance(15) {
            let tag = self.random.pick(TAGS);
            self.text.push_str(tag);
        }
        if self.random.chance(15) {
            self.anchors += 1;
            self.text.push_str(&format!("&n{} ", self.anchors));
        }
    }

    fn scalar(&mut self) {
        match self.random.below(10) {
            0 if self.anchors > 0 => {
                let anchor = 1 + self.random.below(self.anchors);
                self.text.push_str(&format!("*n{anchor}"));
            }
            1 => {
                let text = self.random.pick(PLAIN).replace('\'', "''");
                self.text.push_str(&format!("'{text}'"));
            }
            2 => {
                let text = self
                    .random
                    .pick(&["x", "\\n", "\\u00e9", "\\x41", "a\\tb", "yes", "<<", "\\\"", "\\q", "\\/"]);
                self.text.push_str(&format!("\"{text}\""));
            }
            _ => {
                let text = self.random.pick(PLAIN);
                self.text.push_str(text);
            }
        }
    }

    /// A key; tells whether it asks for what is merged in.
    fn key(&mut self) -> bool {
        if self.random.chance(15) {
            self.properties();
        }
        let key = self.random.pick(KEYS);
        self.text.push_str(key);
        key == "<<"
    }

    /// What is merged in; of several faults in it each engine tells another one.
    fn merged(&mut self) {
        let one = self.random.pick(&["{k: v, a: 0}", "[{k: v}, {k: w, l: x}]", "{}", "[]", "5", "[1]", ""]);
        self.text.push_str(one);
    }

    fn flow(&mut self, depth: usize) {
        self.properties();
        match self.random.below(if depth > 2 { 2 } else { 5 }) {
            3 => {
                self.text.push('[');
                for _ in 0..self.random.below(4) {
                    self.flow(depth + 1);
                    self.text.push_str(", ");
                }
                self.text.push(']');
            }
            4 => {
                self.text.push('{');
                for _ in 0..self.random.below(4) {
                    let merges = self.key();
                    self.text.push_str(": ");
                    if merges {
                        self.merged();
                    } else {
                        self.flow(depth + 1);
                    }
                    self.text.push_str(", ");
                }
                self.text.push('}');
            }
            _ => self.scalar(),
        }
    }

    /// A value below what stands at `indent`, on lines of its own where it is a map or list.
    fn block(&mut self, indent: usize, depth: usize) {
        let pad = " ".repeat(indent);
        match self.random.below(if depth > 3 { 3 } else { 8 }) {
            0 => self.flow(1),
            1 | 2 if depth > 0 => {
                self.properties();
                self.scalar();
            }
            3 if depth > 0 => {
                let head = self.random.pick(&["|", ">", "|-", ">-", "|+", ">+", "|2", ">1-"]);
                let lines = self.random.pick(&["x\n", "x\n\ny\n", "x\n  y\nz\n\n", "\nx\n", "x", ""]);
                let lines: Vec<String> = lines.split('\n').map(|line| format!("{pad}  {line}")).collect();
                self.text.push_str(&format!("{head}\n{}", lines.join("\n").trim_end_matches(' ')));
            }
            4 | 5 if depth > 0 => {
                for _ in 0..=self.random.below(3) {
                    self.text.push_str(&format!("\n{pad}- "));
                    self.block(indent + 2, depth + 1);
                }
            }
            _ => {
                for number in 0..=self.random.below(4) {
                    if number > 0 || depth > 0 {
                        self.text.push_str(&format!("\n{pad}"));
                    }
                    let explicit = self.random.chance(5);
                    if explicit {
                        self.text.push_str("? ");
                    }
                    let merges = self.key();
                    if explicit {
                        self.text.push_str(&format!("\n{pad}"));
                    }
                    self.text.push_str(": ");
                    if merges {
                        self.merged();
                    } else {
                        self.block(indent + 2, depth + 1);
                    }
                }
            }
        }
    }
}
