//! What is repeated comes to what it came to before, its errors included.

use proptest::prelude::*;

use crate::Compat;
use crate::template::{Words, parse};
use crate::value::Text;

/// What comes of two files, of which the second may repeat the first; all that is known of it.
fn parsed(files: [&str; 2], words: &mut Words) -> String {
    let [first, second] =
        files.map(|text| parse(&Text::from("a.yaml"), &Text::from(text), Compat::V4_3, words));
    format!("{first:?}\n{second:?}")
}

fn assert_same(first: &str, second: &str) {
    let (mut words, mut never) = (Words::default(), Words::default());
    never.repeats.longest = 0;
    let (again, once) = (parsed([first, second], &mut words), parsed([first, second], &mut never));
    assert!(again == once, "{first}\n-- and --\n{second}\n-- come to --\n{again}\n-- not to --\n{once}");
}

#[test]
fn repeats_are_found_and_come_to_the_same() {
    let text = "{{ if .a -}}\n  {{ .a.b | quote }}\n{{- end }}\n";
    let mut words = Words::default();
    let name = Text::from("a.yaml");
    parse(&name, &Text::from(text), Compat::V4_3, &mut words).unwrap();
    assert_eq!(words.repeats.known.len(), 3);
    let parsed = parse(&name, &Text::from(text), Compat::V4_3, &mut words).unwrap();
    assert_eq!(parsed.tokens, 15);
    assert_same(text, &format!("a\n\n{text}{text}"));
}

#[test]
fn what_does_not_fit_is_read_anew() {
    // A variable that is not there; one of an own template; one that an action makes for itself.
    assert_same("{{ $a := 1 }}{{ $a }}", "{{ $a }}");
    assert_same("{{ $a := 1 }}{{ $a }}", "{{ $a := 1 }}{{ define \"x\" }}\n{{ $a }}{{ end }}");
    assert_same("{{ with $a := .b }}{{ $a }}{{ end }}", "{{ with $a := .b }}{{ end }}{{ $a }}");
    // A variable of a pipeline in parentheses.
    assert_same("{{ ($a := 1) }}", "{{ ($a := 1) }}{{ $a }}");
    // Too deep.
    let deep = "{{ if (((.a))) }}".repeat(198);
    assert_same("{{ if (((.a))) }}{{ end }}", &format!("{deep}{}", "{{ end }}".repeat(198)));
    // Actions that cannot be told by their first braces, and what goes on an `else`.
    assert_same("{{ \"}}\" }}{{ if \"}}\" }}{{ end }}", "{{ \"}}\" }} {{ \"}} {{ if \"}}\" }}");
    assert_same("{{ if .a }}{{ else if .b }}{{ end }}", "{{ else if .b }}{{ end }}");
}

/// Errors name lines of what is repeated as well.
#[test]
fn errors_stand_where_they_are_found() {
    assert_same("{{ if .a }}\n{{ end }}", "{{ if .a }}\n{{ end }}\n\n{{ end }}");
    assert_same("{{ end\n }}", "{{ if .a }}{{ end\n }}{{ end\n }}");
    assert_same("{{ if .a }}{{ end }}", "{{ if .a }}\n\n{{ if .a");
    assert_same("{{ if .a }}{{ end }}", "{{ if .a }}\n\n{{/* a");
    assert_same("{{ if .a }}{{ else }}{{ end }}", "{{ if .a }}{{ else }}\n{{ else }}");
}

const PIECES: [&str; 36] = [
    "{{ ($p := .a) }}",
    "{{ $p }}",
    "\n",
    " a ",
    "{{ .a }}",
    "{{- .a -}}",
    "{{.a.b.c}}",
    "{{ $ }}",
    "{{ $.a }}",
    "{{ $v := .a }}",
    "{{ $v = 1 }}",
    "{{ $v.b }}",
    "{{ $i }}",
    "{{ $e | quote }}",
    "{{- $v -}} ",
    "{{ break }}",
    "{{ continue }}",
    "{{ else }}",
    "{{- else -}}",
    "{{ else\n}}",
    "{{ else if .a }}",
    "{{ else with .a }}",
    "{{ end }}",
    "{{ end\n}}",
    "{{ template \"t\" . }}",
    "{{/* }} */}}",
    "{{- /* a */ -}}",
    "{{ \"}}\" }}",
    "{{ `}}` }}",
    "{{ '}' }}",
    "{{ include \"t\" (dict \"a\" (list .a $ \"}\")) |\n indent 2 }}",
    "{{ unknown .a }}",
    "{{ .a | 1 }}",
    "{{ .a",
    "{{ (.a }}",
    "{{ }}",
];

const BLOCKS: [&str; 12] = [
    "{{ if .a }}",
    "{{- if $v -}}",
    "{{ if $v := .a }}",
    "{{ with .a }}",
    "{{ with $v }}",
    "{{ with $w := .a.b }}",
    "{{ range .a }}",
    "{{ range $i, $e := .a }}",
    "{{ range $v = .a }}",
    "{{ define \"t\" }}",
    "{{ define \"u\" -}}",
    "{{ block \"b\" $ }}",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned);
    piece.prop_recursive(4, 24, 6, |inner| {
        let body = prop::collection::vec(inner, 0..6).prop_map(|parts| parts.concat());
        let end = prop::sample::select(vec!["{{ end }}", "{{- end -}}", "{{ else }}-{{ end }}"]);
        (prop::sample::select(BLOCKS.to_vec()), body, end)
            .prop_map(|(head, body, end)| [head, &body, end].concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn random_files_come_to_the_same(
        first in prop::collection::vec(text(), 1..6),
        second in prop::collection::vec(text(), 1..6),
    ) {
        assert_same(&first.concat(), &second.concat());
    }
}
