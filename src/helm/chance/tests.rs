//! Draws of single templates: by place, by arguments, as stand-ins, anew.

use std::sync::Arc;

use super::*;
use crate::{Chart, Engine, RenderInput, Rendered};

fn render(template: &str, chance: Chance, now: i64) -> Rendered {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("templates/_d.tpl", "{{ define \"d\" }}{{ randAlpha 9 }}{{ end }}"),
        ("templates/t.yaml", template),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
    let input = RenderInput { chance, now, seed: [7; 32], ..RenderInput::default() };
    Engine::default().render(&Chart::from_files(files).unwrap(), &input).unwrap()
}

fn map(values: &[&str]) -> String {
    let lines: String = values
        .iter()
        .enumerate()
        .map(|(index, value)| format!("k{index}: {{{{ {value} | quote }}}}\n"))
        .collect();
    format!("kind: A\n{lines}")
}

fn remembered(known: &Remembered) -> Chance {
    Chance::Remembered(Arc::new(known.clone()))
}

fn values(rendered: &Rendered) -> Vec<String> {
    let object = rendered.documents[0].object.as_object().unwrap();
    object
        .iter()
        .filter(|(key, _)| *key != "kind")
        .map(|(_, value)| value.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_was_drawn_is_read_back_and_drawn_again() {
    let template = map(&[
        "randAlphaNum 8",
        "randAlphaNum 8",
        "randBytes 8",
        "uuidv4",
        "randInt 1 900000",
        "now | unixEpoch",
        "shuffle \"abcdefghijkl\"",
        "bcrypt \"x\"",
        "encryptAES \"k\" \"x\"",
        "genPrivateKey \"ed25519\"",
        "tpl \"{{ randAlpha 5 }}{{ include \\\"d\\\" . }}\" .",
        "date \"2006\" nil",
    ]);
    let first = render(&template, remembered(&Remembered::default()), 1_000_000);
    assert!(first.has_drawn && !first.deterministic);
    assert_eq!(first.drawn.len(), 13);
    let kept = Remembered::from_json(&first.drawn.to_json());
    assert_eq!(kept, first.drawn);
    let second = render(&template, remembered(&kept), 9_000_000);
    assert_eq!(values(&second), values(&first));
    assert_eq!(second.drawn.digest(), first.drawn.digest());
    let all = values(&first);
    assert_ne!(all[0], all[1]);
    assert!(!format!("{kept:?}").contains(&all[0]), "nothing shows them");
    let fresh = render(&template, Chance::Fresh, 9_000_000);
    assert_ne!(values(&fresh)[5], all[5]);
    assert!(fresh.drawn.is_empty());
}

#[test]
fn hashes_and_ciphers_follow_their_arguments() {
    let of = |word: &str, known: &Remembered| {
        let calls = [
            format!("htpasswd \"me\" \"{word}\""),
            format!("encryptAES \"k\" \"{word}\""),
            format!("shuffle \"{word}{word}\""),
        ];
        render(&map(&calls.each_ref().map(String::as_str)), remembered(known), 0)
    };
    let one = of("one", &Remembered::default());
    let two = of("two", &one.drawn);
    for (before, after) in values(&one).iter().zip(values(&two)) {
        assert_ne!(*before, after);
    }
    assert_eq!(values(&of("one", &two.drawn)), values(&one));
    assert!(!one.drawn.to_json().to_string().contains("one"), "what is hashed is not kept");
}

#[test]
fn stand_ins_are_marked_and_can_be_used() {
    let template = map(&[
        "randAlphaNum 20",
        "randNumeric 4",
        "uuidv4",
        "now | date \"2006\"",
        "(genSelfSignedCert \"x\" nil nil 9).Cert",
        "(genSignedCert \"x\" nil nil 9 (genCA \"y\" 9)).Key",
    ]);
    let rendered = render(&template, Chance::StandIns, 1_000_000);
    let shown = values(&rendered);
    assert_eq!(shown[0], "standInForRandom0sta");
    assert_eq!(shown[1], "0000");
    assert_eq!(shown[2], "00000000-0000-4000-8000-000000000000");
    assert_eq!(shown[3], "1970");
    assert!(shown[4].starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(shown[5].contains("PRIVATE KEY"));
    assert!(rendered.has_drawn && rendered.drawn.is_empty());
    assert!(!render("kind: A\nk: b\n", Chance::StandIns, 0).has_drawn);
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let json = serde_json::json!([{"template": "t"}, 7, {"template": "t", "define": "", "function": "f",
        "ordinal": 0, "arguments": "", "value": {"new": 1}}]);
    assert!(Remembered::from_json(&json).is_empty());
    assert!(Remembered::from_json(&serde_json::Value::Null).is_empty());
}
