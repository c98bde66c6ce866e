//! The odd constants that the cases are made of.

use super::random::Random;

pub const WHOLES: &[&str] = &[
    "0", "1", "2", "3", "-1", "5", "10", "7", "100", "-3", "017", "0x1F", "1_000", "'a'", "0b101", "9223372036854775807",
    "-9223372036854775808", "1e3", "2.0", "65", "8364", "128512", "4", "6", "80", "12",
];
pub const FLOATS: &[&str] = &[
    "0.0", "1.5", "-1.5", "2.0", "1e6", "1e21", "1e-7", "3.14159", "0.1", "1e100", "123456789.5", "0x1p-2", "2.5",
    "-0.0", "999999.5", "1.0", "1e20", "0.000001", "100000.0", ".5", "33.333333",
];
pub const FLAGS: &[&str] =
    &["true", "false", ".Values.yes", ".Values.no", "(eq 1 1)", "(empty .Values.none)", "true", "false"];
pub const LISTS: &[&str] = &[
    ".Values.list", ".Values.mixed", ".Values.maps", ".Values.noList", "(list 1 2 3)", "(list)", "(list \"a\" \"b\" \"a\")",
    "(list 1 \"a\" nil 2.5 true)", "(splitList \",\" \"a,b,,c\")", "(until 3)", "(list (list 1 2) (list 3))", "(keys .Values.map | sortAlpha)",
    "(list 0 \"\" false nil (list) (dict))", "(chunk 2 (list 1 2 3))", "(tuple \"x\" 1)", ".Values.floats", "nil", ".Values.missing",
    "(regexFindAll \"[a-z]\" \"a1b2\" -1)", "(list (dict \"a\" 1) (dict \"a\" 2))",
];
pub const NAMES: &[&str] = &["(list \"b\" \"a\")", "(splitList \" \" \"q w e\")"];
pub const DICTS: &[&str] = &[
    ".Values.map", ".Values.noMap", ".Values.nested", "(dict)", "(dict \"a\" 1 \"b\" \"x\")", "(dict \"a\" (dict \"b\" 2))",
    "(dict \"k\" nil \"z\" 0)", ".Release", ".Chart", ".Values.numbers", "(split \".\" \"a.b.c\")", "(fromYaml \"a: 1\\nb: [1, x]\")",
    "(dict \"x\" (list 1 2) \"y\" (dict \"z\" true))", "nil", ".Values.missing", "(deepCopy .Values.nested)", "$.Values.map", ".Template",
    "(dict \"scheme\" \"https\" \"host\" \"h:8\" \"path\" \"/p q\" \"query\" \"a=1&b\" \"fragment\" \"f\" \"userinfo\" \"u:p\")",
    "(dict \"float\" 1.5 \"int\" 3 \"big\" 1e9 \"t\" true \"s\" \"q\\\"x\" \"l\" (list 1 2) \"m\" (dict \"k\" \"v\"))",
];
pub const KEYS: &[&str] = &[
    "\"a\"", "\"b\"", "\"k\"", "\"x\"", "\"missing\"", "\"\"", "\"a.b\"", "\"str\"", "\"key\"", "\"y\"", "\"10\"", "\"9\"", "\"Name\"",
    "\"é\"", "\"z\"", "\"0\"", "\"list\"", "\"inner\"",
];
pub const TEXTS: &[&str] = &[
    "\"\"", "\"a\"", "\"hello world\"", "\"Hello, World\"", "\"a b c\"", "\"  padded  \"", "\"foo-bar_baz qux\"", "\"HTTPServer2Go\"",
    "\"line1\\nline2\\n\"", "\"tab\\there\"", "\"é☃\"", "\"日本語 テキスト\"", "\"😀 smile\"", "\"quote\\\"s\"", "\"back\\\\slash\"", "\"123\"",
    "\"1.5\"", "\"true\"", "\"null\"", "\"~\"", "\"a,b,c\"", "\"$1\"", "\"x=1&y=2\"", "\"<b>&amp;\"", "\"ÀÉÎ straße ǅ\"", "\"a\\x00b\"",
    "\"\\xff\\xfe\"", "\"aGVsbG8=\"", "\"0x1f\"", "\"010\"", "\"1e3\"", "\"-5\"", "\"2020-01-02\"", "\"v1.2.3\"", "\"the quick brown fox jumps over the lazy dog\"",
    "\",\"", "\"-\"", "\" \"", "\"\\n\"", "\"o\"", "\"AbC\"", "\"{{ .Release.Name }}\"", "\"{{\"", "\"it's\"", "\"# c\"", "\"a: b\"", "\"- x\"", "\"\\u200b\"",
    "\"ab\\u0301c\"", "`raw \\n`", "\"_\"", "\"one two  three\"", "\"1_000\"", "\"0b11\"", "\"0o17\"", "\".5\"", "\"5.\"", "\"+7\"", "\"Inf\"", "\"NaN\"", "\"1h30m\"",
    "\"yes\"", "\"off\"", "\"\\u0085\"", "\"\\ufeffbom\"", "\"\\r\\n\"", "\"a\\rb\"", "\"percent%20\"", "\"!x\"", "\"&y\"", "\"*z\"", "\"? k\"", "\": v\"", "\"%d\"", "\"@\"",
    "\"ﬁ ŉ ı İ\"", "\"ΑΣ ας\"", "\"x.0\"", "\"12.00\"", "\"main\"", "\"missing\"", "\"string\"", "\"int\"", "\"map\"", "\"slice\"", "\"float64\"",
];
pub const TEXT_VALUES: &[&str] = &[
    ".Values.str", ".Values.multi", ".Values.uni", ".Values.num", ".Values.missing", ".Release.Name", ".Chart.Name", ".Values.numText",
    "(toString .Values.num)", ".Capabilities.KubeVersion.Version", ".Values.none", ".Template.Name", ".Values.spaces",
];
pub const ANYTHING: &[&str] = &[
    "nil", ".Values.num", ".Values.str", ".Values.none", ".Values.missing", ".Values.yes", ".Values.float", ".Values.big", ".Values.neg",
    ".Values.map", ".Values.list", ".Values.nested.inner", ".Values.nested.inner.deep", ".Values.missing.x", "(.Values.missing).x", ".Values.str.x",
    ".Values.list.x", ".Chart.Version", ".Files", "(semver \"1.2.3-a+b\")", "'x'", "3.0",
    ".Values.huge", ".Values.tiny", ".Values.zero", ".Values.exp", "(list)", "(dict)", "\"\"", "0", "false", ".Values.octal", ".Values.date",
    ".Values.emptyText", "(printf \"%s\" \"x\")", "(int64 5)", "(int 5)", "(float64 5)", "(toDate \"2006-01-02\" \"2020-02-03\")", "($.Values).num",
    ".Values.maps", "(index .Values.list 0)", "(first .Values.maps)", ".Release.IsInstall", ".Release.Revision", ".Subcharts", ".Template.BasePath", ".Nope",
    ".Values.nested.inner.deep.x", "(until 2)", "(chunk 1 (list 1 2))", "(split \",\" \"a,b\")", "(urlParse \"http://u:p@h:80/p?q=1#f\")", "1i", "(1)", "(\"s\")",
    "(index \"abc\" 1)", "(.Files.GetBytes \"x.txt\")", "(mustToDuration \"90s\")", ".Chart", ".Values.a10", "(len \"abc\")",
];
pub const VERSIONS: &[&str] = &[
    "1.2.3", "1.2", "1", "v1.2.3", "1.2.3-alpha", "1.2.3-alpha.1", "1.2.3+build", "1.2.3-rc.1+b.2", "0.0.1", "0.1.0", "0.2.3", "2.0.0", "1.x", "1.2.x", "*", "x", "X", "1.*",
    "01.2.3", "1.2.3.4", "", "a", "1.33.0", "1.33.0-eks-1", "10.20.30", "1.2.3-0", "1.2.3-01", "1.2.3-", "1.2.3+", "-1.2.3", "1.2-beta", "v1", "99999999999999999999.0.0",
    " 1.2.3", "1.2.3 ", "1.2.3-a.b-c.7", "0", "0.0.0", "1.20", "=1.2.3", "1.2.3-alpha..1", "V1.2.3", "1.2.9", "1.3.0", "0.0", "0.2", "0.0.x", "1.0.0", "1.2.4-beta", "2", "2.1",
];
pub const OPERATORS: &[&str] =
    &["", "", "=", "!=", ">", "<", ">=", "<=", "=>", "=<", "~", "~>", "^", "> ", ">= ", "< ", "~ ", "^ ", "==", "!", "=!", "= ", "!= "];
pub const PATTERN_PARTS: &[&str] = &[
    "a", "b", "c", "[a-z]", "[^a-z]", ".", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\b", "\\B", "^", "$", "(a)", "(?:b)", "(?P<n>x)", "(?<m>y)", "(a|b)", "[0-9]", "[[:alpha:]]",
    "[[:^digit:]]", "\\pL", "\\p{Greek}", "\\PN", "\\.", "\\\\", "\\x41", "\\x{263a}", "\\Qa.b\\E", "(?i)", "(?i:A)", "(?s).", "(?m)^", "(?-s)", "\\A", "\\z", "\\Z", "[", "]", "(", ")", "\\", "{", "}",
    "[a", "[z-a]", "(?=a)", "(?<n", "(?P=n)", "\\1", "\\8", "\\y", "[\\d]", "[^\\d\\s]", "[\\w-]", "[-a]", "[a-]", "[]a]", "[^]a]", "[a-\\d]", "é", "☃", "[é-ü]", "\\t", "\\n", "\\07", "\\123", "\\C", "\\pX",
    "\\p{Foo}", "[[:foo:]]", "[[:alpha:]", "/", "-", "_", " ", "[&&a]", "[~]", "\"", "'", "@", "#", "(?U)", "(?x)", "()", "(|a)", "a|", "$1", "{1}", "**", "a**", "\\E", "[[a]", "\\G", "[\\b]", "\\a\\f\\v",
    "world", "[A-Za-z0-9_.-]", "(?P<name>[a-z])", "(?P<n>a)(?P<n>b)", "(?P<>a)", "(?P<n!>a)", "(?", "(?i", "(?ii)", "(?-)", "(?z)", "[^", "[a-b-c]", "x{2}{3}", "(?:a{500}){500}", "\\u0041", "[[:word:]]", "\\p", "\\p{", "\\x", "\\x{", "\\x{110000}", "\\xg",
];
pub const PATHS: &[&str] = &[
    "", ".", "/", "a", "/a/b", "a/b/", "../x", "a/../b", "//a//b", "a.tar.gz", "/a/b.c/d", "./a", "a/./b", "..", "/..", ".hidden", "a/.hidden", "a.", "/a/", "///",
];
pub const ADDRESSES: &[&str] = &[
    "http://host/path", "https://user:pass@host:8080/p/a?q=1&r=2#frag", "", "/only/path", "mailto:x@y.z", "http://[::1]:80/", "http://[fe80::1%25en0]/", "//host/p", "http://h/%41%zz", "http://h:port/",
    "ht tp://x", "http://h/a b", "a:b:c", ":x", "http://user@h", "http://u:p:q@h/", "http://h?x", "http://h#", "http://h/p;x", "file:///etc", "http://é.com/ü?ö#ä", "http://h/\u{7f}", "1http://x", "x://h/%2f",
    "http://[::1", "http://a b/", "http://h/?a=%zz", "http://:80", "?q", "#f", "http://u%40:p@h/", "http://h%41/", "a%b", "*", "http://h/a%20b", "http:opaque?x#y", "http://<x>/", "http://h/[x]",
];
pub const LAYOUTS: &[&str] = &[
    "2006-01-02", "2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 2006", "02 Jan 06 15:04 MST", "Monday, 02-Jan-06 15:04:05 MST", "Mon, 02 Jan 2006 15:04:05 -0700", "3:04PM", "15:04:05.000", ".000000", "",
    "2006-002", "January 2", "06/1/2 3:4:5 pm", "Z0700 Z07 -07 -0700 -07:00:00", "2006-01-02 15:04:05.999999999 -0700 MST", "x", "__2", "05,000", "20060102150405", "Jan _2", "PM pm", "Z07:00:00",
];
pub const SPANS: &[&str] = &[
    "\"1h\"", "\"90s\"", "\"-1.5h\"", "\"1h30m\"", "\"100ms\"", "\"1d\"", "\"\"", "\"5\"", "\"0\"", "\"1us\"", "\"1µs\"", "\"1ns\"", "\"+3m\"", "\"1h-2m\"", "\".5s\"", "\"9999999h\"", "\"1.s\"", "\"-\"", "95", "1.5", ".Values.num", "nil", "\"2540400h10m10s\"", "\"-90m\"", "\"1m0.5s\"", "3600", "\"100\"",
    "true", "(int64 90)", "\"1 h\"", "\"1H\"",
];
pub const ZONES: &[&str] = &["UTC", "America/New_York", "Europe/Berlin", "", "Local", "Nope/Zone", "Asia/Kolkata", "EST", "Etc/GMT+5", "Australia/Lord_Howe"];
pub const MOMENTS: &[&str] = &[
    "(toDate \"2006-01-02\" \"2020-02-29\")", "(toDate \"2006-01-02T15:04:05Z07:00\" \"2021-07-04T12:30:45+05:30\")", "1600000000", "(int64 0)", "0", "\"x\"", "(int64 -1)", "(int 1234567890)", "(toDate \"2006\" \"1999\")",
    "(toDate \"15:04\" \"23:59\")", "1700000000", "(toDate \"Mon, 02 Jan 2006 15:04:05 MST\" \"Sun, 05 Apr 2020 10:00:00 EST\")",
];
pub const YAMLS: &[&str] = &[
    "a: 1\nb: [x, y]\nc: {d: e}\n", "- 1\n- two\n- 3.0\n", "a: |\n  text\n  more\nb: >-\n  folded\n  line\n", "x: &a {k: v}\ny: *a\nz:\n  <<: *a\n  q: 1\n", "plain", "\"quoted\\n\\x41\\u263a\"", "'it''s'", "a: yes\nb: no\nc: ~\nd: null\ne: 1_000\nf: 0o17\ng: 017\nh: 0x1F\n",
    "---\na: 1\n---\nb: 2\n", "a: 1\na: 2\n", "? complex\n: value\n", "k: !!str 123\nl: !!int \"7\"\nm: !!float 3\nn: !!binary aGk=\n", "# comment\na: b # c\n", "a: [1, 2\n", "a: b: c\n", "\ta: 1\n", "a:\n  - b\n  - c:\n      d\n", "", "...\n", "%YAML 1.1\n---\na: 1\n", "- - 1\n  - 2\n- - 3\n",
    "a: 1e3\nb: .inf\nc: .nan\nd: -.5\ne: 1e400\n", "1: a\n2.5: b\ntrue: c\nnull: d\n", "a: 2020-01-01\nb: 12:30:45\nc: 0.1.2\n", "{a: 1, b: [c, {d: e}], 'f': \"g\"}", "[a, b, ]", "a: \"x\n  y\n\n  z\"\n", "a: x\n  y\n  z\nb: 1\n", "a: |2\n    x\n  y\n", "a: >+\n  x\n\n  y\n\n\n", "!foo bar", "!!set {a, b}", "a: !!map\n", "a: @x\n", "a: `x`\n", "a: %x\n", "-", "- ", "a:", ": x", "a: -", "a: 'x", "a: \"x", "a: |\n x\n   y\n z", "a: *x", "&a b", "a: &", "a: {b", "[", "}", "a: 9223372036854775807\nb: 9223372036854775808\nc: 18446744073709551616\nd: -9223372036854775809\n", "a: \"\\z\"", "a: \u{feff}x", "a:\n    b: 1\n   c: 2\n", "a: 1 b: 2", "a: >\n  x\n   y\n  z\n", "key with spaces: 'v' \n", "\"a\": 1\n'b': 2\n", "a: b\n- c\n", "- a\nb: c\n", "a: \"\\u00e9\\n\\t\\0\\e\\_\\N\\L\\P\"\n",
];
pub const JSONS: &[&str] = &[
    "{\"a\":1,\"b\":[1,\"x\",null,true],\"c\":{\"d\":1.5e3}}", "[1,2,{\"a\":null}]", "\"str\"", "12", "null", "true", "{}", "[]", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\/\"}", "{\"a\":}", "{a:1}", "[1,]", "{\"a\":1}x", "", " ", "{\"a\":1e400}", "nul", "\"\\x\"", "\"a\nb\"", "{\"a\" 1}", "01", "-", "1.", ".5", "[1 2]", "{\"a\":12345678901234567890}", "\"\\ud800\"", "{\"a\":-0.0,\"b\":1e-7,\"c\":1e21}", "tru", "[", "{", "{\"", "\"\\u12\"", "[true,false", "{\"a\":1,}", "1e5", "-1", "1E+2", "\"\u{7f}\"", "{\"k\": \"<&>\u{2028}\"}", "'x'",
];
pub const TOMLS: &[&str] = &[
    "a = 1\nb = \"x\"\n[t]\nc = 1.5\nd = [1, 2]\n", "a = 2020-01-02T03:04:05Z\nb = 2020-01-02\nc = 03:04:05\n", "[[arr]]\nq = true\n[[arr]]\nq = false\n", "a.b.c = 1\n", "bad = = 1", "a = ", "= 1", "[t\n", "a = 1\na = 2\n", "a = 'lit'\nb = '''multi\nline'''\nc = \"\"\"x\ny\"\"\"\n", "a = 0x1F\nb = 0o17\nc = 0b11\nd = 1_000\n", "a = inf\nb = nan\nc = -inf\n", "a = {x = 1, y = {z = 2}}\n", "a = [1, \"x\", [2]]\n", "", "# only\n", "\"q k\" = 1\n", "a = \"\\u00e9\\t\"\n", "a = 1 b = 2", "a", "[a.b]\nc=1\n[a]\nd=2\n", "a = 01", "a = 1__0", "a = \"x", "a = tru", "a = [1,\n2,\n]\n", "a = 1e3\nb = 6.626e-34\n", "[a]\n[a]\n", "a = .5", "a = 5.", "a = \"\\z\"",
];

/// One of the documents, at times with a small accident.
pub fn mutated(random: &mut Random, documents: &[&str]) -> String {
    let mut text = random.pick(documents).to_owned();
    if random.chance(15) {
        text.push_str(random.pick(documents));
    }
    for _ in 0..[0, 0, 1, 2][random.below(4)] {
        text = accident(random, &text);
    }
    text
}

/// Drops, doubles or inserts something.
pub fn accident(random: &mut Random, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = random.below(characters.len() + 1);
    let (before, after): (String, String) = (characters[..at].iter().collect(), characters[at..].iter().collect());
    match random.below(3) {
        0 => before + &after.chars().skip(1).collect::<String>(),
        1 => {
            let again: String = after.chars().take(1 + random.below(6)).collect();
            before + &again + &after
        }
        _ => {
            let inserted = random.pick(&[
                " ", "\n", "  ", ":", "-", "- ", "'", "\"", "{", "}", "[", "]", ",", "#", " #", "&a ", "*a", "!", "|", ">", "%", "@", "\t", "~", "\\", "=", ".", "0", "x", "é", "\n\n", ": ", "? ", "---\n", "!!int ", "<<", "|-", "\r",
            ]);
            before + inserted + &after
        }
    }
}
