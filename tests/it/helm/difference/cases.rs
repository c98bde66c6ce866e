//! Random charts with the arguments they are rendered with, by what they probe.

use super::expressions::quoted;
use super::random::Random;
use super::templates::{Templates, VALUES, manifest};
use super::words;

/// One chart and what follows `template rel CHART`.
#[derive(Debug, Default, Clone)]
pub(super) struct Case {
    pub(super) files: Vec<(String, String)>,
    pub(super) arguments: Vec<String>,
}

/// What a case probes.
pub(super) const KINDS: &[&str] = &[
    "function",
    "manifest",
    "values",
    "set",
    "coalesce",
    "metadata",
    "schema",
    "broken-schema",
    "files",
    "layers",
    "documents",
];

impl Case {
    pub(super) fn new(values: &str) -> Self {
        let mut case = Self::default();
        case.file("Chart.yaml", "apiVersion: v2\nname: c0\nversion: 0.1.0\nappVersion: 1.10\n");
        case.file("values.yaml", values);
        case
    }

    pub(super) fn file(&mut self, path: &str, text: &str) {
        self.files.retain(|(known, _)| known != path);
        self.files.push((path.to_owned(), text.to_owned()));
    }

    /// The case of a seed.
    pub(super) fn random(kind: &str, seed: u64) -> Self {
        let mut random = Random::new(seed);
        match kind {
            "manifest" => manifests(&mut random),
            "values" => values(&mut random),
            "set" => set(&mut random),
            "coalesce" => coalesce(&mut random),
            "metadata" => metadata(&mut random),
            "schema" => schema(&mut random),
            "broken-schema" => super::schemas::broken(&mut random),
            "files" => files(&mut random),
            "layers" => layers(&mut random),
            "documents" => super::documents::documents(&mut random),
            _ => function(&mut random),
        }
    }
}

fn function(random: &mut Random) -> Case {
    let mut case = Case::new(VALUES);
    case.file("x.txt", "file text\nsecond\n");
    let text = Templates::new().file(random);
    case.file("templates/t.yaml", &text);
    case
}

fn manifests(random: &mut Random) -> Case {
    let mut case = Case::new("");
    for name in ["t.yaml", "s.yaml"] {
        if name == "t.yaml" || random.chance(30) {
            case.file(&format!("templates/{name}"), &manifest(random));
        }
    }
    if random.chance(10) {
        case.arguments.push("--no-hooks".to_owned());
    }
    if random.chance(10) {
        case.arguments.push("--skip-tests".to_owned());
    }
    case
}

const SHOW: &str = "a: {{ toJson .Values | quote }}\nb:\n  {{- toYaml .Values | nindent 2 }}\n";

fn values(random: &mut Random) -> Case {
    let mut document = String::new();
    for _ in 0..=random.below(2) {
        document.push_str(random.pick(words::YAMLS));
    }
    for _ in 0..random.below(4) {
        document = words::accident(random, &document);
    }
    if random.chance(50) {
        let mut case = Case::new(&document);
        case.file("templates/t.yaml", SHOW);
        return case;
    }
    let mut case = Case::new("");
    case.file("doc.txt", &document);
    let how = ["fromYaml", "fromYamlArray", "fromJson", "fromToml", "fromJsonArray"];
    let read = if random.chance(60) { "fromYaml" } else { random.pick(&how) };
    let show = [
        "toJson | quote",
        "toYaml | nindent 2",
        "toYamlPretty | nindent 2",
        "toToml | quote",
        "printf \"%v\" | quote",
        "toPrettyJson | quote",
    ];
    case.file(
        "templates/t.yaml",
        &format!("a: {{{{ .Files.Get \"doc.txt\" | {read} | {} }}}}\n", random.pick(&show)),
    );
    case
}

fn expression(random: &mut Random) -> String {
    let mut out = String::new();
    for part in 0..=random.below(3) {
        if part > 0 {
            out.push_str(random.pick(&[",", ",", ", ", ",,"]));
        }
        for level in 0..=random.below(3) {
            if level > 0 {
                out.push('.');
            }
            out.push_str(
                random.pick(&["a", "b", "c", "list", "map", "a\\.b", "k k", "", "num", "é", "1", "x\\,y"]),
            );
            for _ in 0..[0, 0, 0, 1, 1, 2][random.below(6)] {
                out.push_str(
                    random.pick(&[
                        "[0]", "[1]", "[2]", "[x]", "[", "]", "[-1]", "[70000]", "[ 0 ]", "[0", "[]",
                    ]),
                );
            }
        }
        out.push_str(random.pick(&["=", "=", "=", "=", "=", "=", "", "==", " = "]));
        out.push_str(random.pick(&[
            "1",
            "x",
            "true",
            "null",
            "",
            "{a,b}",
            "{1,true,null}",
            "{}",
            "{a",
            "a}",
            "0123",
            "1.5",
            "1e3",
            "a\\,b",
            "a\\=b",
            "a\\.b",
            "\"q\"",
            "'q'",
            " x ",
            "-5",
            "False",
            "{a,{b,c}}",
            "{a\\,b}",
            "x=y",
            "9223372036854775808",
            "0",
            "-0",
            "[1,2]",
            "{\"j\":1}",
            "\\",
            "a\\",
            "é",
            "null ",
            "TRUE",
            "{ a , b }",
            "{,}",
            "nil",
            "~",
            "08",
            "+1",
            "0x1F",
            "1_0",
        ]));
    }
    out
}

fn set(random: &mut Random) -> Case {
    let mut case = Case::new("map: {x: 1, y: [1, 2]}\nlist: [a, {b: c}]\nnum: 3\na: str\n");
    case.file("templates/t.yaml", SHOW);
    for _ in 0..=random.below(2) {
        match random.below(10) {
            0..=5 => case.arguments.extend(["--set".to_owned(), expression(random)]),
            6 | 7 => case.arguments.extend(["--set-string".to_owned(), expression(random)]),
            8 => case.arguments.extend(["--set-literal".to_owned(), expression(random)]),
            _ => {
                let text = if random.chance(40) {
                    words::mutated(random, words::JSONS)
                } else {
                    let json = words::mutated(random, words::JSONS);
                    format!(
                        "{}={json}",
                        random.pick(&["a", "map.x", "list[0]", "list[3]", "map", "q.r[1].s", "", "a.b"])
                    )
                };
                case.arguments.extend(["--set-json".to_owned(), text]);
            }
        }
    }
    case
}

fn tree(random: &mut Random, depth: usize, children: &[&str]) -> String {
    let keys = ["a", "b", "c", "global", "k", "enabled", "tags"];
    let mut out = String::new();
    let mut used = Vec::new();
    for _ in 0..=random.below(4) {
        let mut choices: Vec<&str> = keys.to_vec();
        choices.extend(children);
        choices.extend(children);
        let key = random.pick(&choices);
        if used.contains(&key) {
            continue;
        }
        used.push(key);
        let value = match random.below(9) {
            0 => "null".to_owned(),
            1 => "1".to_owned(),
            2 => "text".to_owned(),
            3 => random.pick(&["true", "false"]).to_owned(),
            4 => random.pick(&["[1, 2]", "[{x: null}]", "[]"]).to_owned(),
            5 => "{}".to_owned(),
            _ if depth > 0 => format!("{{{}}}", tree(random, depth - 1, children)),
            _ => "{x: null, y: 1}".to_owned(),
        };
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&format!("{key}: {value}"));
    }
    out
}

fn document(random: &mut Random, children: &[&str]) -> String {
    if random.chance(10) { String::new() } else { format!("{{{}}}\n", tree(random, 2, children)) }
}

fn coalesce(random: &mut Random) -> Case {
    let mut case = Case::default();
    let children = ["s1", "s2", "al"];
    let mut chart = "apiVersion: v2\nname: c0\nversion: 0.1.0\n".to_owned();
    let listed = random.chance(85);
    if listed {
        chart.push_str("dependencies:\n");
    }
    for name in ["s1", "s2"] {
        for again in 0..=usize::from(random.chance(20)) {
            if listed {
                chart.push_str(&format!(
                    "- name: {name}\n  version: {}\n",
                    random.pick(&["1.0.0", "1.0.0", "^1", ">=2", "\"*\"", "1.x", "~1.0"])
                ));
                if again == 1 || random.chance(15) {
                    chart.push_str("  alias: al\n");
                }
                if random.chance(30) {
                    chart.push_str(&format!(
                        "  condition: {}\n",
                        random.pick(&[
                            "s1.enabled",
                            "a.enabled,s2.enabled",
                            "enabled",
                            "global.enabled",
                            "c",
                            "s2.k.enabled, enabled",
                            ""
                        ])
                    ));
                }
                if random.chance(20) {
                    chart.push_str(&format!("  tags: {}\n", random.pick(&["[a]", "[b, c]", "[]", "[a, k]"])));
                }
                if random.chance(30) {
                    chart.push_str(&format!(
                        "  import-values: {}\n",
                        random.pick(&[
                            "[a]",
                            "[{child: a, parent: b}]",
                            "[{child: a, parent: .}]",
                            "[{child: k.x, parent: c.q}]",
                            "[b, {child: global, parent: global}]",
                            "[data]",
                            "[5]",
                            "[{child: a}]"
                        ])
                    ));
                }
            }
        }
    }
    case.file("Chart.yaml", &chart);
    case.file("values.yaml", &document(random, &children));
    case.file("templates/t.yaml", SHOW);
    for name in ["s1", "s2"] {
        let kind = if random.chance(10) { "type: library\n" } else { "" };
        let mut inner = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{kind}");
        if name == "s1" && random.chance(40) {
            inner.push_str("dependencies:\n- name: deep\n  version: 0.1.0\n");
            if random.chance(40) {
                inner.push_str(&format!(
                    "  import-values: {}\n",
                    random.pick(&["[a]", "[{child: a, parent: b}]", "[{child: b, parent: .}]"])
                ));
            }
            if random.chance(40) {
                inner.push_str("  condition: deep.enabled,s1.deep.enabled\n");
            }
            case.file("charts/s1/charts/deep/Chart.yaml", "apiVersion: v2\nname: deep\nversion: 0.1.0\n");
            case.file("charts/s1/charts/deep/values.yaml", &document(random, &["exports"]));
            case.file("charts/s1/charts/deep/templates/t.yaml", SHOW);
        }
        case.file(&format!("charts/{name}/Chart.yaml"), &inner);
        case.file(&format!("charts/{name}/values.yaml"), &document(random, &["exports", "deep"]));
        case.file(&format!("charts/{name}/templates/t.yaml"), SHOW);
    }
    for number in 0..random.below(3) {
        let text = document(random, &children);
        case.file(&format!("f{number}.yaml"), &text);
        case.arguments.extend(["-f".to_owned(), format!("@f{number}.yaml")]);
    }
    if random.chance(30) {
        case.arguments.extend([
            "--set".to_owned(),
            random
                .pick(&[
                    "tags.a=false",
                    "tags.a=true,tags.b=false",
                    "s1=null",
                    "s1.a=null",
                    "global=null",
                    "global.a=null",
                    "s1.enabled=false",
                    "enabled=true",
                    "al.a=1",
                    "s2.global.a=5",
                    "a=null",
                    "tags=null",
                    "s1.b.x=null",
                ])
                .to_owned(),
        ]);
    }
    case
}

fn layers(random: &mut Random) -> Case {
    let mut case = Case::new(&document(random, &["m"]));
    case.file("templates/t.yaml", SHOW);
    for number in 0..=random.below(3) {
        let text =
            if random.chance(20) { words::mutated(random, words::YAMLS) } else { document(random, &["m"]) };
        case.file(&format!("f{number}.yaml"), &text);
        case.arguments.extend(["-f".to_owned(), format!("@f{number}.yaml")]);
    }
    if random.chance(50) {
        case.arguments.extend(["--set".to_owned(), expression(random)]);
    }
    case
}

fn metadata(random: &mut Random) -> Case {
    let mut case = Case::new("");
    let mut chart = String::new();
    let lines = [
        ("apiVersion", &["v2", "v1", "v3", "", "2", "\"v2\"", "null"][..]),
        ("name", &["c0", "c0", "c0", "a b", "..", "\"\"", "5", "null", "a/b", "é", "[x]", "A_b.c-d"]),
        (
            "version",
            &[
                "0.1.0",
                "0.1.0",
                "1.2",
                "v1.2.3",
                "1",
                "\"\"",
                "x",
                "1.0.0-a+b",
                "01.2.3",
                "null",
                "0.1.0 ",
                "1.10",
            ],
        ),
        (
            "appVersion",
            &["1.10", "1.0", "\"1.0\"", "1e3", "null", "true", "latest", "[a]", "0x10", "2020-01-01"],
        ),
        (
            "kubeVersion",
            &[">=1.20", ">=1.99", "^1", "x", "\"\"", "1.33.0", ">= 1.20.0-0", "<1.33.0 || >1.30", "~1.33.x"],
        ),
        ("type", &["application", "library", "\"\"", "x", "null", "[a]"]),
        ("description", &["text", "\"a\\u0001b\\nc\"", "5", "null", "\"é\\u200b\""]),
        ("keywords", &["[a, b]", "a", "[1]", "null", "[]"]),
        ("home", &["http://x", "5", "null"]),
        ("icon", &["x", "null"]),
        ("deprecated", &["true", "false", "x", "\"true\"", "null"]),
        ("annotations", &["{a: b}", "{a: 1}", "null", "{a: null}", "[x]", "{a: {b: c}}"]),
        ("maintainers", &["[{name: a, email: b}]", "[]", "null", "[x]", "[null]", "[{name: 5}]", "[{}]"]),
        ("sources", &["[a]", "a", "null"]),
        ("unknown", &["x"]),
        ("condition", &["a", "null"]),
        ("tags", &["a", "null"]),
        ("engine", &["gotpl"]),
        (
            "dependencies",
            &[
                "[]",
                "null",
                "[{name: q, version: 1}]",
                "[null]",
                "[{name: q, version: 1.0.0, alias: \"a b\"}]",
                "x",
                "[{alias: q}]",
                "[{name: q, repository: 5}]",
                "[{name: a},{name: a}]",
            ],
        ),
    ];
    for (place, (key, choices)) in lines.iter().enumerate() {
        let wanted = if place < 3 { 93 } else { 14 };
        if random.chance(wanted) {
            let value = if place < 3 && random.chance(80) { choices[0] } else { random.pick(choices) };
            chart.push_str(&format!("{key}: {value}\n"));
        }
    }
    for _ in 0..[0, 0, 0, 1][random.below(4)] {
        chart = words::accident(random, &chart);
    }
    case.file("Chart.yaml", &chart);
    case.file("templates/t.yaml", "a: {{ toJson .Chart | quote }}\nb: {{ .Chart.AppVersion | quote }}\nc: {{ .Chart | toYaml | quote }}\nd: {{ .Capabilities.KubeVersion }}\ne: {{ printf \"%v\" .Chart.Keywords | quote }}\n");
    if random.chance(20) {
        case.arguments.extend([
            "--kube-version".to_owned(),
            random
                .pick(&["1.33.0", "v1.20", "1", "x", "1.29.3-eks-a", "v1.30.0+k3s1", "", "1.2.3.4"])
                .to_owned(),
        ]);
    }
    if random.chance(10) {
        case.file(
            "requirements.yaml",
            random.pick(&[
                "dependencies: []\n",
                "dependencies:\n- name: q\n  version: 1\n",
                "x",
                "dependencies: x\n",
                "null",
                "",
            ]),
        );
    }
    if random.chance(10) {
        case.file(
            "Chart.lock",
            random.pick(&[
                "dependencies: []\n",
                "x",
                "generated: 5\n",
                "digest: a\n",
                "generated: \"2020-01-01T00:00:00Z\"\ndependencies: null\n",
                "[",
            ]),
        );
    }
    case
}

fn subschema(random: &mut Random, depth: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    for _ in 0..=random.below(2) {
        parts.push(match random.below(if depth == 0 { 14 } else { 22 }) {
            0 | 1 => format!(
                "\"type\":{}",
                random.pick(&[
                    "\"string\"",
                    "\"integer\"",
                    "\"number\"",
                    "\"object\"",
                    "\"array\"",
                    "\"boolean\"",
                    "\"null\"",
                    "[\"string\",\"null\"]",
                    "\"nope\"",
                    "5",
                    "[\"integer\",\"boolean\",\"array\"]"
                ])
            ),
            2 => format!(
                "\"enum\":{}",
                random.pick(&[
                    "[\"a\",\"b\"]",
                    "[1,2,null]",
                    "[]",
                    "[[1],{\"a\":1}]",
                    "\"x\"",
                    "[1]",
                    "[true,false]"
                ])
            ),
            3 => format!("\"minimum\":{}", random.pick(&["2", "2.5", "-1", "\"x\"", "100"])),
            4 => format!("\"maximum\":{}", random.pick(&["2", "0.5", "-1", "1e2"])),
            5 => format!("\"exclusiveMinimum\":{}", random.pick(&["2", "true", "0"])),
            6 => format!("\"minLength\":{}", random.pick(&["2", "0", "-1", "1.0", "10"])),
            7 => format!("\"maxLength\":{}", random.pick(&["2", "0", "3"])),
            8 => format!(
                "\"pattern\":{}",
                quoted(random.pick(&["^a+$", "[0-9]", "(", "\\d{2}", "^$", ".*", "é"]))
            ),
            9 => format!(
                "\"format\":\"{}\"",
                random.pick(&[
                    "date",
                    "email",
                    "ipv4",
                    "uri",
                    "date-time",
                    "hostname",
                    "nope",
                    "regex",
                    "uuid",
                    "duration",
                    "ipv6",
                    "json-pointer",
                    "time"
                ])
            ),
            10 => format!("\"const\":{}", random.pick(&["1", "\"a\"", "null", "{\"a\":[1]}", "[]"])),
            11 => format!("\"multipleOf\":{}", random.pick(&["2", "0.1", "0", "3", "-1"])),
            12 => format!(
                "\"required\":{}",
                random.pick(&["[\"a\"]", "[\"a\",\"q\"]", "[]", "\"a\"", "[\"zz\"]", "[1]"])
            ),
            13 => format!(
                "\"{}\":{}",
                random.pick(&[
                    "minItems",
                    "maxItems",
                    "minProperties",
                    "maxProperties",
                    "uniqueItems",
                    "title",
                    "default",
                    "$comment",
                    "deprecated",
                    "readOnly"
                ]),
                random.pick(&["1", "2", "true", "\"x\"", "0"])
            ),
            14 | 15 => format!(
                "\"properties\":{{\"a\":{},\"b\":{}}}",
                subschema(random, depth - 1),
                subschema(random, depth - 1)
            ),
            16 => format!("\"items\":{}", subschema(random, depth - 1)),
            17 => format!(
                "\"additionalProperties\":{}",
                if random.chance(60) { "false".to_owned() } else { subschema(random, depth - 1) }
            ),
            18 => format!(
                "\"{}\":[{},{}]",
                random.pick(&["anyOf", "allOf", "oneOf", "items", "prefixItems"]),
                subschema(random, depth - 1),
                subschema(random, depth - 1)
            ),
            19 => format!("\"not\":{}", subschema(random, depth - 1)),
            20 => format!(
                "\"{}\":{{\"{}\":{}}}",
                random.pick(&[
                    "patternProperties",
                    "dependentSchemas",
                    "dependencies",
                    "$defs",
                    "definitions"
                ]),
                random.pick(&["a", "^b", "zz"]),
                subschema(random, depth - 1)
            ),
            _ => format!(
                "\"{}\":{}",
                random.pick(&[
                    "if",
                    "then",
                    "else",
                    "contains",
                    "propertyNames",
                    "additionalItems",
                    "unevaluatedProperties",
                    "unevaluatedItems"
                ]),
                subschema(random, depth - 1)
            ),
        });
    }
    let mut seen = Vec::new();
    parts.retain(|part| {
        let key = part.split(':').next().unwrap_or("").to_owned();
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
    if random.chance(4) {
        parts = vec![format!(
            "\"$ref\":\"{}\"",
            random.pick(&["#/$defs/a", "#/definitions/a", "#", "#/nope", "nope.json", "#anchor"])
        )];
    }
    if random.chance(3) {
        return random.pick(&["true", "false", "5", "null", "[]"]).to_owned();
    }
    format!("{{{}}}", parts.join(","))
}

fn schema(random: &mut Random) -> Case {
    let value = [
        "1",
        "\"a\"",
        "null",
        "true",
        "[1, a]",
        "{a: 1, zz: x}",
        "2.5",
        "\"\"",
        "[]",
        "{}",
        "{a: {a: 5}}",
        "aaaa",
        "\"12\"",
        "[[1], [1]]",
        "\"2020-01-01\"",
        "1.2.3.4",
    ];
    let mut text = "{".to_owned();
    for key in ["a", "b", "zz"] {
        if random.chance(70) {
            text.push_str(&format!("{key}: {}, ", random.pick(&value)));
        }
    }
    text.push_str("}\n");
    let mut case = Case::new(&text);
    let inner = subschema(random, 2);
    let draft = random.pick(&[
        "",
        "",
        "",
        "\"$schema\":\"http://json-schema.org/draft-07/schema#\",",
        "\"$schema\":\"http://json-schema.org/draft-04/schema#\",",
        "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",",
        "\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",",
        "\"$schema\":\"http://json-schema.org/draft-06/schema#\",",
        "\"$schema\":\"http://json-schema.org/schema#\",",
        "\"$schema\":\"nope\",",
    ]);
    let mut document = format!(
        "{{{draft}\"type\":\"object\",\"properties\":{{\"a\":{inner},\"b\":{}}},\"$defs\":{{\"a\":{{\"type\":\"string\"}}}}",
        subschema(random, 1)
    );
    if random.chance(20) {
        document.push_str(",\"additionalProperties\":false");
    }
    if random.chance(20) {
        document.push_str(",\"required\":[\"b\"]");
    }
    document.push('}');
    if random.chance(6) {
        document = words::accident(random, &document);
    }
    case.file("values.schema.json", &document);
    case.file("templates/t.yaml", "a: {{ toJson .Values | quote }}\n");
    case
}

fn files(random: &mut Random) -> Case {
    let mut case = Case::new("");
    for path in [
        "a.txt",
        "b.md",
        "dir/c.txt",
        "dir/sub/d.yaml",
        ".hidden",
        "e f.txt",
        "x[1].txt",
        "crds/crd.yaml",
        "dir/.keep",
        "é.txt",
        "empty",
    ] {
        if random.chance(70) {
            let text = random.pick(&[
                "text\n",
                "",
                "a\nb\n\n",
                "a: 1\n",
                "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
                "l1\r\nl2",
                "\u{feff}bom\n",
                "two\n\n\n---\nb: 1\n",
            ]);
            case.file(path, text);
        }
    }
    let globs = [
        "*",
        "**",
        "*.txt",
        "dir/*",
        "dir/**",
        "**.txt",
        "{a,b}*",
        "[a-e]*",
        "[!a]*",
        "?.txt",
        "dir/*/d.yaml",
        "[",
        "{a",
        "x\\[1\\].txt",
        "*/*",
        "**/d.yaml",
        "",
        "{*.md,dir/*}",
        "a.tx?",
        "[^a]*",
        "dir/{c,sub/d}.*",
        "\\",
        "[a",
        "a]",
        "*{",
        "{}",
        "{,a}.txt",
        "[]a].txt",
        "[a-]*",
        "d**d*",
    ];
    let mut text = String::new();
    for number in 0..3 {
        let glob = quoted(random.pick(&globs));
        let path = quoted(random.pick(&["a.txt", "dir/c.txt", "empty", "nope", "e f.txt"]));
        text.push_str(&format!(
            "k{number}: {{{{ {} }}}}\n",
            match random.below(9) {
                0 => format!("(.Files.Glob {glob}).AsConfig | quote"),
                1 => format!("(.Files.Glob {glob}).AsSecrets | quote"),
                2 => format!(".Files.Get {path} | quote"),
                3 => format!(".Files.Lines {path} | toJson"),
                4 => format!(".Files.GetBytes {path}"),
                5 => format!("range $p, $b := .Files.Glob {glob} }}}}{{{{ $p }}}},{{{{ len $b }}}};{{{{ end"),
                6 => format!("len (.Files.Glob {glob})"),
                7 => format!(".Files.Glob {glob} | toJson | quote"),
                _ => format!(
                    "range $p, $_ := .Files.Glob {glob} }}}}{{{{ $.Files.Get $p | b64enc }}}};{{{{ end"
                ),
            }
        ));
    }
    case.file("templates/t.yaml", &text);
    if random.chance(40) {
        let rules = [
            "*.txt",
            "dir/",
            "/a.txt",
            "!b.md",
            "dir/*",
            "# c",
            "",
            "  a.txt  ",
            "**",
            "dir",
            "[",
            "*.m?",
            ".hidden",
            "templates/",
            "\\#x",
            "e f.txt",
            "!*.txt",
            "/dir/sub",
            "sub",
            "sub/",
            "crds",
            "Chart.yaml",
            "values.yaml",
            "./a.txt",
            "//a.txt",
        ];
        let text: Vec<&str> = (0..=random.below(3)).map(|_| random.pick(&rules)).collect();
        case.file(".helmignore", &text.join(random.pick(&["\n", "\n", "\r\n"])));
    }
    if random.chance(30) {
        case.arguments.push("--include-crds".to_owned());
    }
    case
}
