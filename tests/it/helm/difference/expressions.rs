//! Random expressions: every function with arguments that mostly fit, and often do not.

use super::random::Random;
use super::words;

/// What an expression is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    Text,
    Whole,
    Float,
    Flag,
    List,
    Dict,
    Any,
    Number,
    Version,
    Constraint,
    Pattern,
    Yaml,
    Json,
    Toml,
    Path,
    Address,
    Layout,
    Span,
    Moment,
    Format,
    Zone,
    Key,
    Names,
}

/// `name: arguments > result`; a letter for each argument, `*` repeats the one before.
const FUNCTIONS: &str = include_str!("functions.txt");

fn sort(letter: char) -> Sort {
    match letter {
        's' => Sort::Text,
        'i' => Sort::Whole,
        'f' => Sort::Float,
        'b' => Sort::Flag,
        'l' => Sort::List,
        'd' => Sort::Dict,
        'n' => Sort::Number,
        'v' => Sort::Version,
        'c' => Sort::Constraint,
        'r' => Sort::Pattern,
        'y' => Sort::Yaml,
        'j' => Sort::Json,
        't' => Sort::Toml,
        'p' => Sort::Path,
        'u' => Sort::Address,
        'L' => Sort::Layout,
        'D' => Sort::Span,
        'm' => Sort::Moment,
        'F' => Sort::Format,
        'z' => Sort::Zone,
        'k' => Sort::Key,
        'N' => Sort::Names,
        _ => Sort::Any,
    }
}

struct Signature {
    name: &'static str,
    arguments: &'static str,
    result: Sort,
}

fn signatures() -> Vec<Signature> {
    FUNCTIONS
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let (arguments, result) = rest.split_once('>')?;
            Some(Signature {
                name,
                arguments: arguments.trim(),
                result: sort(result.trim().chars().next().unwrap_or('a')),
            })
        })
        .collect()
}

/// Makes expressions.
pub(super) struct Expressions {
    signatures: Vec<Signature>,
    /// Variables in scope.
    pub(super) variables: Vec<String>,
}

impl Expressions {
    pub(super) fn new() -> Self {
        Self { signatures: signatures(), variables: Vec::new() }
    }

    /// An expression that may stand where an argument stands.
    pub(super) fn argument(&self, random: &mut Random, wanted: Sort, depth: usize) -> String {
        if random.chance(7) {
            return self.argument(random, Sort::Any, depth.min(1));
        }
        if depth > 0 && random.chance(45) {
            return format!("({})", self.call(random, wanted, depth - 1));
        }
        self.simple(random, wanted)
    }

    /// A pipeline.
    pub(super) fn pipeline(&self, random: &mut Random, depth: usize) -> String {
        if random.chance(12) {
            return self.simple(random, Sort::Any);
        }
        let mut text = self.call(random, Sort::Any, depth);
        while random.chance(15) {
            let filter = [
                "quote",
                "toString",
                "toJson",
                "toYaml",
                "len",
                "default \"d\"",
                "int",
                "trunc 3",
                "upper",
                "nindent 2",
                "squote",
                "printf \"%v\"",
                "printf \"%T\"",
                "typeOf",
                "kindOf",
                "print",
                "not",
                "first",
                "join \",\"",
                "toPrettyJson",
                "toToml",
                "toYamlPretty",
                "html",
                "js",
                "urlquery",
                "printf \"%#v\"",
                "printf \"%q\"",
                "printf \"%+v\"",
                "printf \"%x\"",
                "float64",
                "empty",
                "uniq",
                "has 1",
                "kindIs \"map\"",
                "b64enc",
                "sha256sum",
                "fromYaml",
                "fromJson",
                "toStrings",
            ];
            text = format!("{text} | {}", random.pick(&filter));
        }
        text
    }

    /// A call of a function with the wanted result.
    pub(super) fn call(&self, random: &mut Random, wanted: Sort, depth: usize) -> String {
        let fits = |result: Sort| match wanted {
            Sort::Any => true,
            Sort::Number => matches!(result, Sort::Whole | Sort::Float | Sort::Number),
            Sort::Names => result == Sort::List,
            _ => result == wanted || result == Sort::Any,
        };
        let known: Vec<&Signature> = self.signatures.iter().filter(|known| fits(known.result)).collect();
        if known.is_empty() {
            return self.simple(random, wanted);
        }
        let chosen = known[random.below(known.len())];
        let mut arguments = Vec::new();
        let mut last = 'a';
        for letter in chosen.arguments.chars() {
            match letter {
                ' ' => {}
                '*' => {
                    for _ in 0..random.below(4) {
                        arguments.push(self.argument(random, sort(last), depth));
                    }
                }
                _ => {
                    last = letter;
                    arguments.push(self.argument(random, sort(letter), depth));
                }
            }
        }
        if random.chance(2) {
            arguments.pop();
        } else if random.chance(1) {
            arguments.push(self.simple(random, Sort::Any));
        }
        if random.chance(30)
            && let Some(last) = arguments.pop()
        {
            let mut words = vec![chosen.name.to_owned()];
            words.extend(arguments);
            return format!("{last} | {}", words.join(" "));
        }
        let mut words = vec![chosen.name.to_owned()];
        words.extend(arguments);
        words.join(" ")
    }

    /// A constant, variable or value.
    pub(super) fn simple(&self, random: &mut Random, wanted: Sort) -> String {
        if !self.variables.is_empty() && random.chance(10) {
            return self.variables[random.below(self.variables.len())].clone();
        }
        match wanted {
            Sort::Any => self.anything(random),
            Sort::Number => {
                let sort = if random.chance(60) { Sort::Whole } else { Sort::Float };
                let sort = if random.chance(15) { Sort::Any } else { sort };
                self.simple(random, sort)
            }
            Sort::Whole if random.chance(15) => random
                .pick(&[
                    "(int .Values.num)",
                    "(int64 .Values.neg)",
                    "(len .Values.list)",
                    "(int .Values.big)",
                ])
                .to_owned(),
            Sort::Whole => random.pick(words::WHOLES).to_owned(),
            Sort::Float => random.pick(words::FLOATS).to_owned(),
            Sort::Flag => random.pick(words::FLAGS).to_owned(),
            Sort::List if random.chance(50) => random.pick(words::LISTS).to_owned(),
            Sort::List => {
                let items: Vec<String> =
                    (0..random.below(5)).map(|_| self.simple(random, Sort::Any)).collect();
                format!("(list {})", items.join(" ")).replace("(list )", "(list)")
            }
            Sort::Names => random.pick(words::NAMES).to_owned(),
            Sort::Dict if random.chance(40) => random.pick(words::DICTS).to_owned(),
            Sort::Dict => {
                let mut text = "(dict".to_owned();
                for _ in 0..random.below(4) {
                    text.push_str(&format!(
                        " {} {}",
                        random.pick(words::KEYS),
                        self.simple(random, Sort::Any)
                    ));
                }
                text + ")"
            }
            Sort::Key => random.pick(words::KEYS).to_owned(),
            Sort::Version => quoted(random.pick(words::VERSIONS)),
            Sort::Constraint => quoted(&constraint(random)),
            Sort::Pattern => raw(&pattern(random)),
            Sort::Yaml => raw(&words::mutated(random, words::YAMLS)),
            Sort::Json => raw(&words::mutated(random, words::JSONS)),
            Sort::Toml => raw(&words::mutated(random, words::TOMLS)),
            Sort::Path => quoted(random.pick(words::PATHS)),
            Sort::Address => quoted(random.pick(words::ADDRESSES)),
            Sort::Layout => quoted(random.pick(words::LAYOUTS)),
            Sort::Span => random.pick(words::SPANS).to_owned(),
            Sort::Zone => quoted(random.pick(words::ZONES)),
            Sort::Moment => random.pick(words::MOMENTS).to_owned(),
            Sort::Format => quoted(&format(random)),
            Sort::Text if random.chance(20) => random.pick(words::TEXT_VALUES).to_owned(),
            Sort::Text => random.pick(words::TEXTS).to_owned(),
        }
    }

    fn anything(&self, random: &mut Random) -> String {
        match random.below(12) {
            0..=3 => random.pick(words::ANYTHING).to_owned(),
            4 | 5 => self.simple(random, Sort::Text),
            6 => self.simple(random, Sort::Whole),
            7 => self.simple(random, Sort::Float),
            8 => self.simple(random, Sort::Flag),
            9 => random.pick(words::LISTS).to_owned(),
            _ => random.pick(words::DICTS).to_owned(),
        }
    }
}

/// A Go string constant.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ => out.push(character),
        }
    }
    out + "\""
}

fn raw(text: &str) -> String {
    if text.contains(['`', '\r']) { quoted(text) } else { format!("`{text}`") }
}

/// A constraint on versions.
fn constraint(random: &mut Random) -> String {
    let mut text = String::new();
    for part in 0..=random.below(3) {
        if part > 0 {
            text.push_str(random.pick(&[", ", " || ", " ", ",", "||", " , ", "  "]));
        }
        text.push_str(random.pick(words::OPERATORS));
        text.push_str(random.pick(words::VERSIONS));
        if random.chance(8) {
            text.push_str(" - ");
            text.push_str(random.pick(words::VERSIONS));
        }
    }
    text
}

/// A format of printf.
pub(super) fn format(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push_str(random.pick(&["", "", "x", " ", "é", "%%", "|"]));
        text.push('%');
        for _ in 0..random.below(3) {
            text.push_str(random.pick(&["+", "-", "#", "0", " ", "", ""]));
        }
        if random.chance(8) {
            text.push_str(random.pick(&["[1]", "[2]", "[3]", "[0]", "[x]", "[", "[1", "[-1]", "[]"]));
        }
        if random.chance(35) {
            text.push_str(random.pick(&["1", "5", "10", "3", "*", "20", "08"]));
        }
        if random.chance(30) {
            text.push('.');
            text.push_str(random.pick(&["", "0", "1", "2", "3", "10", "*", "-1"]));
        }
        if random.chance(4) {
            text.push_str(random.pick(&["[1]", "[2]", "[5]"]));
        }
        text.push_str(random.pick(&[
            "v", "d", "s", "q", "x", "X", "T", "t", "f", "F", "e", "E", "g", "G", "b", "o", "O", "c", "U",
            "p", "v", "d", "s", "q", "w", "z", "é", "", "!", "i", "%",
        ]));
    }
    text
}

/// A regular expression.
pub(super) fn pattern(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(5) {
        text.push_str(random.pick(words::PATTERN_PARTS));
        if random.chance(35) {
            text.push_str(random.pick(&[
                "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,}", "{,2}", "{2,1}", "{1001}", "{",
                "{a}",
            ]));
        }
        if random.chance(8) {
            text.push('|');
        }
    }
    text
}
