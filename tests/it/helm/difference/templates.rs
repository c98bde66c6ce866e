//! Random templates around random expressions, and at times broken ones.

use super::expressions::{Expressions, Sort};
use super::random::Random;
use super::words;

/// Values that the expressions name.
pub(super) const VALUES: &str = "str: hello\nmulti: |\n  one\n  two\nuni: \"é☃😀\"\nnum: 42\nnumText: \"42\"\nfloat: 3.5\nbig: 12345678901\nneg: -7\nzero: 0\nyes: true\nno: false\nnone: null\nlist: [a, b, c]\nmixed: [1, two, 3.5, true, null, {k: v}, [x]]\nmaps: [{name: a, port: 1}, {name: b, port: 2, extra: {z: 1}}]\nnoList: []\nfloats: [1, 2.5, 1000000, 1e-7]\nmap: {a: 1, b: two, k: 2.5, x: {y: z}}\nnoMap: {}\nnested: {inner: {deep: bottom, list: [1, 2]}, a: 1}\nnumbers: {a10: 1, a9: 2, B: 3, \"10\": 4}\nhuge: 1e30\ntiny: 0.00000012\nexp: 1e6\noctal: 0644\ndate: 2020-01-01\nemptyText: \"\"\nspaces: \"  x  \"\na10: q\ntemplate: \"{{ .Release.Name }}-{{ .Values.num }}\"\n";

/// Writes statements.
pub(super) struct Templates {
    pub(super) expressions: Expressions,
    counter: usize,
    in_range: usize,
}

impl Templates {
    pub(super) fn new() -> Self {
        Self { expressions: Expressions::new(), counter: 0, in_range: 0 }
    }

    /// A whole file.
    pub(super) fn file(&mut self, random: &mut Random) -> String {
        let mut out = String::new();
        let long = random.chance(35);
        if long && random.chance(40) {
            out.push_str("{{- define \"main\" -}}");
            self.expressions.variables.clear();
            out.push_str(&self.body(random, 1));
            out.push_str("{{- end }}\n");
            self.expressions.variables.clear();
        }
        for number in 0..=random.below(if long { 2 } else { 3 }) {
            match if long { random.below(6) } else { random.below(3) } {
                0 => out.push_str(&format!("e{number}: |2\n  >{}<\n", self.action(random, 2))),
                1 => {
                    let action = self.action(random, 2);
                    out.push_str(&format!(
                        "{{{{ define \"e{number}\" }}}}{action}{{{{ end }}}}e{number}: {{{{ include \"e{number}\" . | quote }}}}\n"
                    ));
                    self.expressions.variables.clear();
                }
                2 => out.push_str(&format!("e{number}: {{{{ {} | toJson }}}}\n", self.parenthesised(random))),
                _ => out.push_str(&format!("e{number}: |2\n  >{}<\n", self.body(random, 2))),
            }
        }
        self.expressions.variables.clear();
        if random.chance(10) {
            for _ in 0..=random.below(2) {
                out = accident(random, &out);
            }
        }
        out
    }

    fn parenthesised(&self, random: &mut Random) -> String {
        {
            let depth = random.below(3);
            format!("({})", self.expressions.pipeline(random, depth))
        }
    }

    fn open(random: &mut Random) -> &'static str {
        random.pick(&["{{ ", "{{ ", "{{", "{{- ", "{{-\n"])
    }

    fn close(random: &mut Random) -> &'static str {
        random.pick(&[" }}", " }}", "}}", " -}}"])
    }

    fn action(&self, random: &mut Random, depth: usize) -> String {
        let depth = random.below(depth + 1);
        let pipeline = self.expressions.pipeline(random, depth);
        format!("{}{pipeline}{}", Self::open(random), Self::close(random))
    }

    fn body(&mut self, random: &mut Random, depth: usize) -> String {
        let mut out = String::new();
        for _ in 0..=random.below(2) {
            out.push_str(&self.statement(random, depth));
        }
        out
    }

    fn statement(&mut self, random: &mut Random, depth: usize) -> String {
        let (open, close) = (Self::open(random), Self::close(random));
        if depth == 0 {
            return self.action(random, 1);
        }
        let known = self.expressions.variables.len();
        let text = match random.below(14) {
            0 | 1 => self.action(random, 2),
            2 => random
                .pick(&["text", " ", "\n", "a b", "{{/* c */}}", "{{- /* c */ -}}", "}}", "{", "é"])
                .to_owned(),
            3 | 4 => {
                let condition = self.expressions.pipeline(random, 1);
                let first = self.body(random, depth - 1);
                let mut out = format!("{open}if {condition}{close}{first}");
                if random.chance(30) {
                    let condition = self.expressions.pipeline(random, 1);
                    out.push_str(&format!("{{{{ else if {condition} }}}}{}", self.body(random, depth - 1)));
                }
                if random.chance(50) {
                    out.push_str(&format!("{{{{ else }}}}{}", self.body(random, depth - 1)));
                }
                out + "{{ end }}"
            }
            5 => {
                let condition = self.expressions.pipeline(random, 1);
                let mut out =
                    format!("{open}with {condition}{close}[{{{{ . }}}}]{}", self.body(random, depth - 1));
                if random.chance(30) {
                    let condition = self.expressions.pipeline(random, 1);
                    out.push_str(&format!("{{{{ else with {condition} }}}}{}", self.body(random, depth - 1)));
                }
                if random.chance(50) {
                    out.push_str(&format!("{{{{ else }}}}{}", self.body(random, depth - 1)));
                }
                out + "{{ end }}"
            }
            6..=8 => self.range(random, depth, open, close),
            9 | 10 => {
                let value = self.expressions.pipeline(random, 1);
                if known > 0 && random.chance(40) {
                    let name = self.expressions.variables[random.below(known)].clone();
                    return format!("{open}{name} = {value}{close}");
                }
                let name = self.fresh();
                let out = format!("{open}{name} := {value}{close}");
                self.expressions.variables.push(name);
                return out;
            }
            11 => {
                let name = random.pick(&["main", "main", "missing", "e0"]);
                let data = self.expressions.argument(random, Sort::Any, 1);
                random
                    .pick(&[
                        format!("{open}template \"{name}\" {data}{close}").as_str(),
                        format!("{open}include \"{name}\" {data}{close}").as_str(),
                        format!("{open}template \"{name}\"{close}").as_str(),
                    ])
                    .to_owned()
            }
            12 if self.in_range > 0 => format!("{open}{}{close}", random.pick(&["break", "continue"])),
            12 => format!(
                "{open}block \"b{}\" {}{close}{{{{ . }}}}{{{{ end }}}}",
                {
                    self.counter += 1;
                    self.counter
                },
                self.expressions.argument(random, Sort::Any, 1)
            ),
            _ => {
                let inner = self.action(random, 1);
                format!("{open}tpl {} .{close}", super::expressions::quoted(&inner))
            }
        };
        self.expressions.variables.truncate(known);
        text
    }

    fn fresh(&mut self) -> String {
        self.counter += 1;
        format!("$v{}", self.counter)
    }

    fn range(&mut self, random: &mut Random, depth: usize, open: &str, close: &str) -> String {
        let sort = random.below(4);
        let over = match sort {
            0 => self.expressions.argument(random, Sort::Dict, 1),
            1 => self.expressions.argument(random, Sort::Any, 1),
            2 => "3".to_owned(),
            _ => self.expressions.argument(random, Sort::List, 1),
        };
        let head = match random.below(3) {
            0 => over,
            1 => {
                let name = self.fresh();
                self.expressions.variables.push(name.clone());
                format!("{name} := {over}")
            }
            _ => {
                let (key, value) = (self.fresh(), self.fresh());
                self.expressions.variables.push(key.clone());
                self.expressions.variables.push(value.clone());
                format!("{key}, {value} := {over}")
            }
        };
        self.in_range += 1;
        let body = self.body(random, depth - 1);
        self.in_range -= 1;
        let mut out = format!("{open}range {head}{close}({{{{ . }}}}){body}");
        if random.chance(30) {
            out.push_str("{{ else }}none");
        }
        out + "{{ end }}"
    }
}

/// Breaks a template a little.
fn accident(random: &mut Random, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = random.below(characters.len() + 1);
    let (before, after): (String, String) =
        (characters[..at].iter().collect(), characters[at..].iter().collect());
    match random.below(3) {
        0 => before + &after.chars().skip(1 + random.below(3)).collect::<String>(),
        1 => {
            let again: String = after.chars().take(1 + random.below(12)).collect();
            before + &again + &after
        }
        _ => {
            let inserted = random.pick(&[
                "{{",
                "}}",
                "(",
                ")",
                "|",
                "\"",
                "`",
                "'",
                ".",
                "$",
                " ",
                "{{ end }}",
                "{{ else }}",
                "-",
                ":=",
                "=",
                ",",
                "{{/*",
                "*/}}",
                "nil",
                "true",
                "1",
                "0x",
                "\\",
                "{{-",
                "-}}",
                "$x",
                ".a",
                "..",
                "if",
                "range",
                "define \"q\"",
                "end",
                "else",
                "#",
                "%",
                "&",
                "@",
                "!",
                "\n",
                "é",
                "nope",
                "{{ break }}",
                "{{ continue }}",
                "with",
                "template",
                "\u{0}",
                "1e",
                "'ab'",
                "''",
                "1.2.3",
                "$.",
                ".$",
                "{{}}",
                "{{ }}",
                "{{.}}",
            ]);
            before + inserted + &after
        }
    }
}

/// A document that a template prints as it is, for the reader of manifests.
pub(super) fn manifest(random: &mut Random) -> String {
    let kinds = [
        "Pod",
        "Service",
        "ConfigMap",
        "Secret",
        "Zed",
        "Alpha",
        "CustomResourceDefinition",
        "Namespace",
        "Job",
        "ClusterRole",
        "ValidatingWebhookConfiguration",
        "Deployment",
        "",
        "List",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "IngressClass",
        "PriorityClass",
    ];
    let mut out = String::new();
    for _ in 0..=random.below(4) {
        if random.chance(80) {
            out.push_str(random.pick(&[
                "---\n",
                "--- # c\n",
                "---  \n",
                "\n---\n",
                "---",
                "----\n",
                " ---\n",
                "--- x\n",
                "---\r\n",
                "...\n",
                "---\t\n",
                "\n\n\n",
            ]));
        }
        match random.below(6) {
            0 => out.push_str(&words::mutated(random, words::YAMLS)),
            1 => out.push_str(random.pick(&[
                "# only a comment\n",
                "\n",
                "   \n",
                "null\n",
                "~\n",
                "{}\n",
                "[]\n",
                "text\n",
                "# a\n---\n# b\n",
            ])),
            _ => {
                let hook = random.pick(&[
                    "",
                    "",
                    "",
                    "pre-install",
                    "post-install",
                    "test",
                    "test-success",
                    "pre-install,post-upgrade",
                    "nope",
                    " Pre-Install ",
                    "crd-install",
                    "test-failure",
                    "pre-delete",
                    "pre-rollback,nope",
                ]);
                out.push_str(&format!(
                    "apiVersion: v1\nkind: {}\nmetadata:\n  name: {}\n",
                    random.pick(&kinds),
                    random.pick(&["a", "b", "\"c\"", "1", "null", "[x]", "{a: b}", "é"])
                ));
                if !hook.is_empty() {
                    out.push_str(&format!("  annotations:\n    \"helm.sh/hook\": {hook}\n"));
                    if random.chance(40) {
                        out.push_str(&format!(
                            "    \"helm.sh/hook-weight\": {}\n",
                            random.pick(&["\"1\"", "\"-5\"", "3", "x", "\"\""])
                        ));
                    }
                    if random.chance(20) {
                        out.push_str(&format!(
                            "    \"helm.sh/hook-delete-policy\": {}\n",
                            random.pick(&["hook-succeeded", "nope", "\"\"", "[x]"])
                        ));
                    }
                } else if random.chance(20) {
                    out.push_str(&format!(
                        "  annotations: {}\n",
                        random.pick(&[
                            "{a: b}",
                            "{a: true}",
                            "{a: 1}",
                            "null",
                            "[]",
                            "x",
                            "{a: null}",
                            "{a: {b: c}}"
                        ])
                    ));
                }
                if random.chance(10) {
                    out = words::accident(random, &out);
                }
            }
        }
    }
    out
}
