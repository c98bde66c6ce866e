//! `moorline check` on whole config repositories: the template has no fault, and each broken repository of the
//! corpus is told of exactly as its golden text says.
//!
//! A case is one file in `config_repository/`: files behind `-- path --`, a link behind `-- path -> where --`, and
//! behind `-- check --` what is printed, in files `strict-…` by `check --strict`. A line `@repeat N TEXT` stands for N times the text. What a case does not
//! write comes from the sound repository `_sound.txt`; `-- without path --` takes a file out of it.
//! `UPDATE_EXPECT=1` writes the golden parts anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use moorline::adapters::checkout::read_checkout;
use moorline::desired::{ConfigRepository, schema};
use moorline::model::source::FileTree;
use proptest::prelude::*;
use serde_json::Value;

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config-repo-template");
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/config_repository");

/// What `moorline check` prints, and its exit code.
fn check(folder: &Path, flags: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    let output = command.arg("check").arg(folder).args(flags).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nothing but faults is printed");
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn the_template_has_no_fault() {
    let tree = read_checkout(Path::new(TEMPLATE)).unwrap();
    let repository = ConfigRepository::read(&tree);
    assert_eq!(repository.faults, []);
    let applications: Vec<String> = repository
        .environments
        .keys()
        .flat_map(|name| repository.applications(&tree, name).0)
        .map(|application| format!("{} in {}", application.id, application.namespace))
        .collect();
    expect_test::expect![[r"
        dev/edge in storefront-dev
        dev/environment in shop-dev
        dev/payments-api in payments-dev
        dev/session-store in shop-dev
        dev/web in storefront-dev
        prod/edge in storefront-prod
        prod/environment in shop-prod
        prod/nightly-report in finance-prod
        prod/payments-api in payments-prod
        prod/session-store in shop-prod
        prod/web in storefront-prod
        sandbox/edge in storefront-sandbox
        sandbox/environment in shop-sandbox
        sandbox/nightly-report in finance-sandbox
        sandbox/payments-api in payments-sandbox
        sandbox/session-store in shop-sandbox
        sandbox/web in storefront-sandbox"]]
    .assert_eq(&applications.join("\n"));
    for flags in [&[][..], &["--strict"]] {
        let (text, code) = check(Path::new(TEMPLATE), flags);
        assert_eq!((text.as_str(), code), ("3 environments, 17 applications: no faults\n", Some(0)));
    }
}

#[test]
fn the_template_holds_the_schema_of_this_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_moorline")).args(["check", "--schema"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    expect_test::expect_file![format!("{TEMPLATE}/.moorline/schema.json")].assert_eq(&printed);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), schema());
}

#[test]
fn what_cannot_be_written_is_told_of_but_a_reader_that_went_away_is_not() {
    let chart = format!("{TEMPLATE}/environments/dev");
    for arguments in [&["check", "--schema"][..], &["template", &chart]] {
        let run = |output: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
            let done = command.args(arguments).stdout(output).output().unwrap();
            (done.status.code(), String::from_utf8(done.stderr).unwrap())
        };
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, told) = run(full.into());
        let wanted = "error: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!((code, told.to_lowercase()), (Some(1), wanted.to_lowercase()), "{arguments:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(writer.into()), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = include_str!("../../docs/config-repository.md");
    for (name, definition) in schema()["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(
                reference.contains(&format!("`{key}`")),
                "docs/config-repository.md lacks {key} of {name}"
            );
            let default =
                property.get("default").map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
            let default = default.unwrap_or_default();
            assert!(
                reference.contains(&default),
                "docs/config-repository.md lacks the default {default} of {key}"
            );
        }
    }
}

#[test]
fn files_of_the_template_are_valid_under_the_schema_they_name() {
    let tree = read_checkout(Path::new(TEMPLATE)).unwrap();
    let mut count = 0;
    for (path, file) in tree.iter() {
        let text = String::from_utf8(file.content.bytes().unwrap().to_vec()).unwrap();
        let Some(named) =
            text.strip_prefix("# yaml-language-server: $schema=").and_then(|rest| rest.lines().next())
        else {
            continue;
        };
        let folder = Path::new(TEMPLATE).join(path).parent().unwrap().to_owned();
        let wrapper: Value = serde_json::from_str(&fs::read_to_string(folder.join(named)).unwrap()).unwrap();
        let definition = wrapper["$ref"].as_str().unwrap().strip_prefix("schema.json").unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        let mut faults = Vec::new();
        if !value.is_null() {
            Validator(schema()).validate(&value, &serde_json::json!({"$ref": definition}), path, &mut faults);
        }
        assert_eq!(faults, Vec::<String>::new());
        count += 1;
    }
    assert_eq!(count, 7, "moorline.yaml, 4 services, 2 versions.yaml");
}

/// The part of JSON schema that our schema uses.
struct Validator(Value);

impl Validator {
    fn validate(&self, value: &Value, schema: &Value, place: &str, faults: &mut Vec<String>) {
        for (keyword, argument) in schema.as_object().unwrap() {
            let holds = match keyword.as_str() {
                "$ref" => {
                    let to = self.0.pointer(argument.as_str().unwrap().trim_start_matches('#')).unwrap();
                    self.validate(value, to, place, faults);
                    true
                }
                "allOf" => {
                    for one in argument.as_array().unwrap() {
                        self.validate(value, one, place, faults);
                    }
                    true
                }
                "anyOf" => argument.as_array().unwrap().iter().any(|one| self.accepts(value, one)),
                "not" => !self.accepts(value, argument),
                "type" => kind(value) == argument.as_str().unwrap(),
                "const" => value == argument,
                "enum" => argument.as_array().unwrap().contains(value),
                "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
                "minItems" => value.as_array().is_none_or(|items| !items.is_empty()),
                "minProperties" => value.as_object().is_none_or(|map| !map.is_empty()),
                "maxLength" => {
                    value.as_str().is_none_or(|text| text.len() as u64 <= argument.as_u64().unwrap())
                }
                "pattern" => value.as_str().is_none_or(|text| matches(argument.as_str().unwrap(), text)),
                "required" => {
                    argument.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
                }
                "items" => {
                    let items = value.as_array().into_iter().flatten();
                    items.for_each(|item| self.validate(item, argument, place, faults));
                    true
                }
                "propertyNames" => {
                    let names = value.as_object().into_iter().flatten();
                    names.for_each(|(name, _)| {
                        self.validate(&Value::from(name.as_str()), argument, place, faults);
                    });
                    true
                }
                "properties" => {
                    for (key, inner) in value.as_object().into_iter().flatten() {
                        match (argument.get(key), &schema["additionalProperties"]) {
                            (Some(property), _) => {
                                self.validate(inner, property, &format!("{place}/{key}"), faults);
                            }
                            (None, Value::Bool(false)) => faults.push(format!("{place}: {key} is not known")),
                            (None, _) => {}
                        }
                    }
                    true
                }
                "additionalProperties" if argument.is_object() => {
                    for (key, inner) in value.as_object().into_iter().flatten() {
                        self.validate(inner, argument, &format!("{place}/{key}"), faults);
                    }
                    true
                }
                "additionalProperties" | "description" | "default" => true,
                other => panic!("the schema uses {other}, which this test does not know"),
            };
            if !holds {
                faults.push(format!("{place}: {keyword} {argument} refuses {value}"));
            }
        }
    }

    fn accepts(&self, value: &Value, schema: &Value) -> bool {
        let mut faults = Vec::new();
        self.validate(value, schema, "", &mut faults);
        faults.is_empty()
    }
}

/// The regex crate has no look-ahead: what ours say is said here in code.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(rest) = pattern.strip_prefix("^(?!") else {
        return regex::Regex::new(pattern).unwrap().is_match(text);
    };
    let plain = rest.rsplit_once("(?!").and_then(|(_, rest)| rest.split_once(')')).is_some();
    plain && !text.starts_with('/') && !text.split('/').any(|part| matches!(part, ".." | ".git"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// One broken repository.
struct Case {
    path: PathBuf,
    /// Everything before the golden part.
    given: String,
    golden: String,
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let (given, golden) = text.split_once("-- check --\n").unwrap_or((&text, ""));
        Self { given: given.to_owned(), golden: golden.to_owned(), path }
    }

    fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// Writes the sound repository with this case's changes.
    fn write(&self, sound: &str, folder: &Path) {
        let mut files = sections(sound);
        let (gone, given): (Vec<_>, Vec<_>) =
            sections(&self.given).into_iter().partition(|(header, _)| header.starts_with("without "));
        for (header, _) in &gone {
            let gone = header.trim_start_matches("without ");
            files.retain(|path, _| path != gone && !path.starts_with(&format!("{gone}/")));
        }
        files.extend(given);
        for (header, body) in files {
            let (path, link) =
                header.split_once(" -> ").map_or((header.as_str(), None), |(path, to)| (path, Some(to)));
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match link {
                Some(to) => std::os::unix::fs::symlink(to, path).unwrap(),
                None => fs::write(path, body).unwrap(),
            }
        }
    }
}

/// The files of a case: what stands behind `-- … --` lines.
fn sections(text: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut current: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some(header) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            files.extend(current.replace((header.to_owned(), String::new())));
        } else if let Some((_, body)) = &mut current {
            match line.strip_prefix("@repeat ").and_then(|rest| rest.split_once(' ')) {
                Some((count, piece)) => body.push_str(&piece.repeat(count.parse().unwrap())),
                None => body.push_str(line),
            }
            body.push('\n');
        }
    }
    files.extend(current);
    files
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('_'));
    paths.sort();
    paths.into_iter().map(Case::read).collect()
}

#[test]
fn the_sound_repository_has_no_fault() {
    let sound = fs::read_to_string(format!("{CORPUS}/_sound.txt")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    Case { path: PathBuf::new(), given: String::new(), golden: String::new() }.write(&sound, folder.path());
    let sound = ("2 environments, 5 applications: no faults\n".to_owned(), Some(0));
    assert_eq!(check(folder.path(), &[]), sound);
    assert_eq!(check(folder.path(), &["--strict"]), sound);
}

#[test]
fn every_broken_repository_is_told_of_as_its_golden_text_says() {
    let sound = fs::read_to_string(format!("{CORPUS}/_sound.txt")).unwrap();
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        case.write(&sound, folder.path());
        let flags: &[&str] = if case.name().starts_with("strict-") { &["--strict"] } else { &[] };
        let (text, code) = check(folder.path(), flags);
        if text != case.golden && update {
            fs::write(&case.path, format!("{}-- check --\n{text}", case.given)).unwrap();
        } else if text != case.golden || code != Some(1) {
            wrong.push(format!("{}, exit {code:?}:\n{text}instead of:\n{}", case.name(), case.golden));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_EXPECT=1 accepts this", wrong.join("\n"));
}

#[test]
fn faults_leave_other_applications_alone() {
    let sound = fs::read_to_string(format!("{CORPUS}/_sound.txt")).unwrap();
    for (case, held) in [
        ("service-unknown-key", vec!["dev/api", "prod/api"]),
        ("pin-for-nothing", vec![]),
        ("pin-too-short", vec!["prod/api"]),
        ("stray-services-file", vec![]),
        ("layer-broken-yaml", vec!["prod/api"]),
        ("chart-broken-umbrella", vec!["dev/api", "dev/report"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        Case::read(PathBuf::from(format!("{CORPUS}/{case}.txt"))).write(&sound, folder.path());
        let tree = read_checkout(folder.path()).unwrap();
        let repository = ConfigRepository::read(&tree);
        let all = repository.environments.values().flat_map(|environment| {
            environment.members.iter().map(move |service| (environment.name.clone(), service.clone()))
        });
        let is_held = |environment: &_, service: &_| {
            repository.faults.iter().any(|one| one.holds(environment, service))
        };
        let seen: Vec<String> = all
            .filter(|(environment, service)| is_held(environment, service))
            .map(|(environment, service)| format!("{environment}/{service}"))
            .collect();
        assert_eq!(seen, held, "{case}: {:?}", repository.faults);
    }
}

/// One change of a text: a piece put in, taken out or doubled somewhere.
fn changed(text: &str, place: usize, length: usize, piece: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let start = place % (chars.len() + 1);
    let end = (start + length).min(chars.len());
    let (before, after) = (&chars[..start], &chars[end..]);
    before.iter().chain(&piece.chars().collect::<Vec<_>>()).chain(after).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_reading_fail(
        file in 0usize..32,
        place in 0usize..600,
        length in 0usize..12,
        piece in prop_oneof![
            Just(String::new()),
            "[-\\[\\]{}:,&*!|>'\"%@`#? \n\t]{1,4}",
            Just("*a".to_owned()),
            Just("<<: ".to_owned()),
            Just("\u{feff}\u{0}\u{85}".to_owned()),
            Just("!!binary ".to_owned()),
            Just("\n---\n".to_owned()),
            Just(".nan".to_owned()),
            Just("1e999".to_owned()),
            "\\PC{1,8}",
        ],
    ) {
        let mut files = sections(&fs::read_to_string(format!("{CORPUS}/_sound.txt")).unwrap());
        let index = file % files.len();
        let text = files.values_mut().nth(index).unwrap();
        *text = changed(text, place, length, &piece);
        let tree = FileTree::from_contents(files);
        let repository = ConfigRepository::read(&tree);
        for fault in &repository.faults {
            let line = fault.to_string();
            prop_assert!(!line.contains(char::is_control), "{line:?}");
            prop_assert!(tree.get(&fault.file).is_some() || fault.line == 0, "{line}");
        }
        // What is read again is the same: no order of hashing shows.
        prop_assert_eq!(repository.faults, ConfigRepository::read(&tree).faults);
    }
}
