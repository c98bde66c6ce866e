//! Charts that mean harm: every one ends in an error that names its limit, none in a panic, a
//! hang or a full memory.

use std::sync::Arc;

use moorline::helm::{
    Chart, Engine, Limit, Pulse, RenderFault, RenderInput, RenderLimits, SetKind, TimeLimit, Values,
    parse_documents,
};

use super::fleet::{self, Dice};
use super::{Files, chart, folder, read_folder};

fn with_template(text: &str) -> Chart {
    chart(&Files::from([
        ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: hostile\nversion: 1.0.0\n".to_vec()),
        ("templates/t.yaml".to_owned(), text.as_bytes().to_vec()),
    ]))
}

fn narrow() -> Engine {
    let limits = RenderLimits { steps: 2_000_000, bytes: 16 << 20, ..RenderLimits::default() };
    Engine::default().with_limits(limits)
}

#[test]
fn endless_work_hits_a_limit() {
    for (text, wanted) in [
        ("{{ range until 3000 }}{{ range until 3000 }}{{ end }}{{ end }}", Limit::Steps),
        ("{{ range 1000000000000 }}{{ end }}", Limit::Steps),
        ("{{ repeat 100000000 \"abcdefgh\" }}", Limit::Size),
        ("{{ $s := \"x\" }}{{ range until 40 }}{{ $s = print $s $s }}{{ end }}", Limit::Bytes),
        ("{{ $s := \"x\" }}{{ range until 40 }}{{ $s = cat $s $s }}{{ end }}", Limit::Bytes),
        ("{{ until 2000000000 }}", Limit::Size),
        ("{{ indent 2000000000 \"a\" }}", Limit::Size),
        ("{{ randAlphaNum 2000000000 }}", Limit::Size),
        ("{{ regexReplaceAll \"\" (repeat 100000 \"a\") (repeat 100000 \"b\") }}", Limit::Bytes),
        ("{{ $l := list 1 }}{{ range until 60 }}{{ $l = concat $l $l }}{{ end }}", Limit::Bytes),
        (
            "{{ $d := dict }}{{ range until 40 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ $_ := set (dict) \"x\" $d }}",
            Limit::Size,
        ),
        (
            "{{ $d := dict }}{{ range until 40 }}{{ $d = dict \"a\" $d \"b\" $d }}{{ end }}{{ print $d }}",
            Limit::Bytes,
        ),
        ("{{ range until 9000 }}{{ range until 9000 }}a longer text{{ end }}{{ end }}", Limit::Bytes),
        ("{{ range until 900000 }}{{ range until 900000 }}{{ end }}{{ end }}", Limit::Bytes),
        (
            "{{ $s := repeat 4000000 \"x\" }}{{ range until 9000 }}{{ $h := adler32sum $s }}{{ end }}",
            Limit::Steps,
        ),
        ("{{ $l := until 900000 }}{{ range until 9000 }}{{ $h := slice $l 0 1 }}{{ end }}", Limit::Steps),
        (
            "{{ $l := list 1 }}{{ range until 18 }}{{ $l = list $l $l }}{{ end }}{{ range until 9000 }}{{ $h := deepEqual $l (list $l $l) }}{{ $h = has $l (list $l $l) }}{{ end }}",
            Limit::Steps,
        ),
        ("{{ fromJson (repeat 6000000 \"[],\") }}", Limit::Size),
    ] {
        let error = narrow().render(&with_template(text), &RenderInput::default()).expect_err(text);
        assert_eq!(error.fault, RenderFault::Limit(wanted), "{text}: {error}");
    }
}

/// In the worst order and twice; with a move for each key behind a new one this takes minutes.
#[test]
fn maps_of_many_keys_are_made_in_one_go() {
    let keys = (0..100_000).rev().chain(0..100_000);
    let yaml: String = keys.clone().map(|key| format!("k{key:06}: {key}\n")).collect();
    let json: Vec<String> = keys.map(|key| format!("\"k{key:06}\": {key}")).collect();
    let template = r#"a: {{ with .Files.Get "many.yaml" | fromYaml }}{{ len . }} {{ .k000007 }}{{ end }} {{ with .Files.Get "many.json" | fromJson }}{{ len . }} {{ .k000007 }}{{ end }}"#;
    let chart = chart(&Files::from([
        ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: hostile\nversion: 1.0.0\n".to_vec()),
        ("templates/t.yaml".to_owned(), template.as_bytes().to_vec()),
        ("many.yaml".to_owned(), yaml.into_bytes()),
        ("many.json".to_owned(), format!("{{{}}}", json.join(",")).into_bytes()),
    ]));
    let rendered = Engine::default().render(&chart, &RenderInput::default()).unwrap();
    assert_eq!(rendered.documents[0].text, "a: 100000 7 100000 7");
}

#[test]
fn maps_may_hold_themselves_and_everything_ends() {
    let loops = "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" (list $d) }}";
    for (text, wanted) in [
        (
            "{{ $d := dict \"x\" 1 }}{{ $_ := set $d \"self\" (dict \"v\" $d) }}a: {{ $d.self.v.self.v.x }}",
            "a: 1\n",
        ),
        ("{{ $_ := set .Values \"root\" $ }}a: {{ .Values.root.Values.root.Release.Name }}", "a: rel\n"),
        ("{{ $d := dict \"x\" 1 }}{{ $e := merge $d (dict \"y\" $d) }}a: {{ $d.y.y.x }}", "a: 1\n"),
        (
            "{{ $d := dict \"x\" 1 }}{{ $e := mergeOverwrite $d (dict \"x\" $d) }}a: {{ len $d.x.x }}",
            "a: 1\n",
        ),
        ("a: {{ $d | toJson | quote }}", "a: \"\"\n"),
        ("a: {{ $d | toYaml | quote }}", "a: \"\"\n"),
        ("a: {{ contains \"nested deeper\" ($d | toToml) }}", "a: true\n"),
        (
            "a: {{ $e := deepCopy $d }}{{ len $e }}{{ deepEqual $d $e }}{{ list $d $e | uniq | len }}",
            "a: 2true1\n",
        ),
        ("a: {{ gt (len ($d | toString)) 100 }}", "a: true\n"),
    ] {
        let text = if text.starts_with('a') { format!("{loops}{text}") } else { text.to_owned() };
        let input = RenderInput { release: "rel".to_owned(), ..RenderInput::default() };
        let rendered = Engine::default().render(&with_template(&text), &input).expect(&text);
        let out = String::from_utf8(rendered.to_helm_output()).expect("text");
        assert!(out.ends_with(wanted), "{text}: {out}");
    }
}

#[test]
fn what_is_missing_is_found_beside_values_that_hold_themselves() {
    let text =
        "{{ $_ := set .Values \"self\" .Values }}{{ $_ := set .Values \"root\" $ }}{{ len .Nothing.a }}";
    let error = Engine::default().render(&with_template(text), &RenderInput::default()).expect_err(text);
    assert!(error.message.contains("nil pointer evaluating interface {}.a"), "{error}");
}

#[test]
fn what_a_chart_keeps_in_memory_is_paid_for() {
    let limits = RenderLimits { steps: 20_000_000, bytes: 4 << 20, ..RenderLimits::default() };
    let engine = Engine::default().with_limits(limits);
    for expression in [
        "print $i \"/\" $j",
        "until 9000",
        "reverse (until 9000)",
        "until 9000 | toStrings",
        "chunk 1 (until 900)",
        "dict $i $j",
        "omit $.Chart",
        "semver \"1.2.3\"",
        "$.Files.Glob \"**\"",
        "deepCopy $.Capabilities",
        "splitList \"\" (repeat 900 \"a\")",
        "uuidv4",
        "regexFindAll \"a\" (repeat 900 \"a\") -1",
        "fromJsonArray (print \"[\" (repeat 900 \"[],\") \"1]\")",
        "fromYaml \"{a: &a [1,2,3,4,5], b: &b [*a,*a,*a,*a], c: [*b,*b,*b,*b]}\"",
        "fromToml (print \"a = [\" (repeat 900 \"[],\") \"]\")",
        "tpl (print (repeat 900 \"{{.}}\") $i \"/\" $j) 1",
    ] {
        let text = format!(
            "{{{{ $d := dict }}}}{{{{ range $i := until 900 }}}}{{{{ range $j := until 900 }}}}\
             {{{{ $_ := set $d (print $i \"-\" $j) ({expression}) }}}}{{{{ end }}}}{{{{ end }}}}"
        );
        let error = engine.render(&with_template(&text), &RenderInput::default()).expect_err(expression);
        assert_eq!(error.fault, RenderFault::Limit(Limit::Bytes), "{expression}: {error}");
    }
}

/// Deeper than any thread's stack.
#[test]
fn values_nest_as_deep_as_there_are_steps() {
    for text in [
        "{{ $v := dict }}{{ range until 90000 }}{{ $v = dict \"a\" $v }}{{ end }}a: {{ len $v }}",
        "{{ $v := list }}{{ range until 90000 }}{{ $v = list $v }}{{ end }}a: {{ len $v }}",
        "{{ range until 9000 }}{{ $_ := set $.Values \"a\" (dict \"a\" $.Values.a) }}{{ end }}a: {{ len .Values }}",
        "{{ $v := list }}{{ range until 90000 }}{{ $v = list $v }}{{ end }}\
         {{ $c := deepCopy $v }}{{ $t := print $v }}{{ $t = toYaml $v }}{{ $t = toJson $v }}{{ $e := deepEqual $v $c }}\
         {{ $m := merge (dict \"a\" $v) (dict \"b\" $c) }}{{ $u := uniq (list $v $c) }}a: {{ len $v }}",
    ] {
        let rendered = Engine::default().render(&with_template(text), &RenderInput::default()).expect(text);
        assert_eq!(rendered.documents[0].text.trim(), "a: 1", "{text}");
    }
}

#[test]
fn endless_recursion_ends_as_in_helm() {
    let text = "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}";
    let error =
        Engine::default().render(&with_template(text), &RenderInput::default()).expect_err("recursion");
    assert!(error.to_string().contains("nested reference name: a"), "{}", error.message.len());
    let text = "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}";
    let error =
        Engine::default().render(&with_template(text), &RenderInput::default()).expect_err("recursion");
    assert_eq!(error.fault, RenderFault::Limit(Limit::Depth));
    assert!(error.to_string().contains("nest deeper than"), "{error}");
}

#[test]
fn deep_documents_are_refused() {
    for text in [
        r#"{{ fromToml (print (repeat 100000 "a.") "a = 1") }}"#,
        r#"{{ fromToml (print "[" (repeat 100000 "a.") "a]") }}"#,
        r#"{{ fromToml (print "a = " (repeat 100000 "{ a = ")) }}"#,
        r#"{{ fromToml (print "a = " (repeat 100000 "[")) }}"#,
        r#"{{ fromJson (repeat 100000 "{\"a\":") }}"#,
        r#"{{ fromYaml (repeat 100000 "{a: ") }}"#,
    ] {
        let text = format!("a: {{{{ ({}).Error | quote }}}}", text.trim_matches(['{', '}', ' ']));
        let rendered = Engine::default().render(&with_template(&text), &RenderInput::default());
        let said = rendered.expect("an error as a value").documents[0].object["a"].to_string();
        assert!(said.contains("deep") || said.contains("depth"), "{text}: {said}");
    }
}

#[test]
fn schemas_that_lead_from_one_to_the_next_end() {
    let chain = |step: &dyn Fn(usize) -> String| {
        let steps: Vec<String> = (0..5_000).map(|at| format!(r#""{at}": {}"#, step(at))).collect();
        format!(r##"{{"$ref": "#/$defs/0", "$defs": {{{}}}}}"##, steps.join(", "))
    };
    for schema in [
        chain(&|at| format!(r##"{{"$ref": "#/$defs/{}"}}"##, at + 1)),
        chain(&|at| format!(r##"{{"allOf": [{{"not": {{"$ref": "#/$defs/{}"}}}}]}}"##, (at + 1) % 5_000)),
        r##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}"##.to_owned(),
        format!("{}{{}}{}", r#"{"not": "#.repeat(240), "}".repeat(240)),
        format!("{}{{}}{}", r#"{"patternProperties": {"a": "#.repeat(120), "}}".repeat(120)),
        r##"{"properties": {"a": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}}"##.to_owned(),
    ] {
        let chart = chart(&Files::from([
            ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: hostile\nversion: 1.0.0\n".to_vec()),
            ("values.yaml".to_owned(), b"a: {a: {b: 1}}\n".to_vec()),
            ("values.schema.json".to_owned(), schema.into_bytes()),
        ]));
        let _ = Engine::default().render(&chart, &RenderInput::default());
    }
}

#[test]
fn deep_source_is_refused() {
    for text in ["{{ if 1 }}".repeat(5_000), format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000))]
    {
        let error =
            Engine::default().render(&with_template(&text), &RenderInput::default()).expect_err("depth");
        assert_eq!(error.fault, RenderFault::Parse);
        assert!(error.to_string().contains("nested deeper than 200 levels"), "{error}");
    }
}

#[test]
fn yaml_bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 9].join(",");
        bomb.extend(["a", &level.to_string(), ": &a", &level.to_string(), " [", &inner, "]\n"]);
    }
    for text in [
        bomb,
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(100_000),
        "a:\n".repeat(10) + &"? ".repeat(50_000),
    ] {
        let error = Values::parse(text.as_bytes()).expect_err("a bomb");
        assert!(error.limit, "{error}");
        assert!(parse_documents(text.as_bytes()).is_err());
    }
    let many = "a\n---\n".repeat(30_000);
    assert!(parse_documents(many.as_bytes()).expect_err("too many").to_string().contains("20000 documents"));
}

#[test]
fn archives_cannot_leave_their_folder_or_grow() {
    let good = read_folder(&folder().join("corpus/created-by-4"));
    assert!(Chart::from_archive(&fleet::pack("demo", &good)).is_ok());
    let sized = |path: &str, size: u64| {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        let mut header = tar::Header::new_gnu();
        let name = path.as_bytes();
        header
            .as_gnu_mut()
            .expect("a header")
            .name
            .get_mut(..name.len())
            .expect("short")
            .copy_from_slice(name);
        header.set_size(size);
        header.set_cksum();
        archive.append(&header, &b"x"[..]).expect("an entry");
        archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("an archive")
    };
    for (path, wanted) in [
        ("/etc/passwd", "absolute paths"),
        ("demo/../../x", "parent directory"),
        ("../x", "parent directory"),
        ("demo\\..\\x", "parent directory"),
        ("Chart.yaml", "not in base directory"),
    ] {
        let error = Chart::from_archive(&sized(path, 1)).expect_err("a bad path").to_string();
        assert!(error.contains(wanted), "{path}: {error}");
    }
    for size in [101 << 20, 1 << 62] {
        let error = Chart::from_archive(&sized("demo/big", size)).expect_err("too large").to_string();
        assert!(error.contains("times as large as its archive"), "{size}: {error}");
    }
    // Helm 3 would refuse the file for its size, Helm 4 takes it.
    let mut large = good;
    large.insert("big".to_owned(), vec![0; 6 << 20]);
    assert!(Chart::from_archive(&fleet::pack("demo", &large)).is_ok());
}

#[test]
fn archives_that_unpack_to_far_more_than_they_are_end_early() {
    let good = read_folder(&folder().join("corpus/created-by-4"));
    // Files of zeros: a thousand to one.
    let mut bomb = good.clone();
    (0..4).for_each(|number| drop(bomb.insert(format!("zeros-{number}"), vec![0; 4 << 20])));
    let error = Chart::from_archive(&fleet::pack("demo", &bomb)).map(drop).expect_err("a bomb").to_string();
    assert!(error.contains("times as large as its archive") || error.contains("unexpected"), "{error}");
    // Archives in archives: what all of them unpack to counts together.
    let mut inner = good.clone();
    (0..3000).for_each(|number| drop(inner.insert(format!("files/{number}"), Vec::new())));
    let inner = fleet::pack("demo", &inner);
    let mut outer = good;
    (0..7).for_each(|number| drop(outer.insert(format!("charts/demo-{number}.tgz"), inner.clone())));
    let files = outer.into_iter().map(|(name, bytes)| (name, Arc::from(bytes)));
    let error = Chart::from_files(files).map(drop).expect_err("too much").to_string();
    assert!(error.contains("more than 20000 files"), "{error}");
}

#[test]
fn a_render_that_takes_too_long_ends() {
    let pulse = Pulse::default();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (beaten, stop) = (pulse.clone(), done.clone());
    let heart = std::thread::spawn(move || {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            beaten.beat();
        }
    });
    let time = TimeLimit { pulse, beats: 1000, words: "a moment" };
    let limits = RenderLimits { steps: u64::MAX, ..RenderLimits::default() };
    let engine = Engine::default().with_limits(limits).with_time_limit(time);
    let chart = with_template("{{ range 1000000000 }}{{ end }}");
    let error = engine.render(&chart, &RenderInput::default()).expect_err("too long");
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    heart.join().expect("a heart");
    assert_eq!(error.fault, RenderFault::Limit(Limit::Time));
    assert!(error.to_string().contains("render takes more than a moment"), "{error}");
    assert_eq!(error.template.as_deref(), Some("hostile/templates/t.yaml"));
}

/// Changes some bytes of a text.
fn damaged(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"{{", b"}}", b"{{-", b"(", b")", b"\n", b": ", b"- ", b"\t", b"|", b"&a ", b"*a", b"\"", b"\xff",
        b"---\n", b"9",
    ];
    let mut out = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let place = usize::try_from(dice.below(out.len() as u64 + 1)).expect("small");
        match dice.below(3) {
            0 => out.truncate(place),
            1 => {
                let piece = PIECES[usize::try_from(dice.below(16)).expect("small")];
                out.splice(place..place, piece.iter().copied());
            }
            _ if place < out.len() => {
                out.remove(place);
            }
            _ => {}
        }
    }
    out
}

#[test]
fn damaged_charts_never_panic() {
    let mut dice = Dice::new(42);
    let good = fleet::umbrella(3).files;
    let names: Vec<&String> = good.keys().collect();
    let packed = fleet::pack("demo", &good);
    let mut rendered = 0;
    for _ in 0..150 {
        let mut files = good.clone();
        let name = names[usize::try_from(dice.below(names.len() as u64)).expect("small")];
        files.insert(name.clone(), damaged(&mut dice, &good[name]));
        let chart = Chart::from_files(files.into_iter().map(|(name, bytes)| (name, Arc::from(bytes))));
        if let Ok(chart) = chart {
            rendered += usize::from(narrow().render(&chart, &RenderInput::default()).is_ok());
        }
        let _ = Chart::from_archive(&damaged(&mut dice, &packed));
    }
    assert!(rendered > 10, "only {rendered} of 150 could still be rendered");
}

#[test]
fn damaged_values_and_expressions_never_panic() {
    let mut dice = Dice::new(7);
    let yaml = b"a: &x {b: [1, 'two', \"three\\n\"], c: |+\n  text\n  more\n\n}\nd: !!binary aGk=\n<<: *x\ne: >-\n  folded\n  text\n";
    for _ in 0..8_000 {
        let text = damaged(&mut dice, yaml);
        if let (Ok(values), Ok(text)) = (Values::parse(&text), std::str::from_utf8(&text)) {
            let _ = values.set(text, SetKind::Typed);
        }
        let _ = parse_documents(&text);
    }
    for _ in 0..8_000 {
        let text = damaged(&mut dice, b"a.b[0].c=1,d={x,y},e=\\,f,g[3]=null");
        if let Ok(text) = std::str::from_utf8(&text) {
            for kind in [SetKind::Typed, SetKind::Text, SetKind::Json, SetKind::Literal] {
                let _ = Values::default().set(text, kind);
            }
        }
    }
}
