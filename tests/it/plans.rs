//! The planner's cases: tables that tell a situation and the plan that it must give. Each names the rule that it is
//! about. `UPDATE_EXPECT=1` writes the plans anew; read them before you commit them.

mod situation;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use self::situation::{Situation, every_hold};
use moorline::model::digest::Digest;
use moorline::model::hold::HoldReason;
use moorline::model::inventory::Slot;
use moorline::report::step::StepReport;
use moorline::sync::{Force, ReplicasRule, Step, SyncPlan, plan};

/// One case as it stands in its file.
struct Case {
    file: PathBuf,
    title: String,
    rules: Vec<String>,
    given: Vec<String>,
    expected: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/plans")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect();
    files.sort();
    files
}

/// Paragraphs: lines with `§` name rules, `case` the title, then what is given, then after `plan` what is expected.
fn cases(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs
        .filter(|paragraph| !paragraph.starts_with('#'))
        .map(|paragraph| case(file, paragraph))
        .collect()
}

fn case(file: &Path, paragraph: &str) -> Case {
    let (mut rules, mut title, mut given, mut expected) = (Vec::new(), None, Vec::new(), Vec::new());
    let mut planned = false;
    for line in paragraph.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if planned {
            expected.push(line.to_owned());
        } else if let Some(rule) = line.strip_prefix('§') {
            rules.push(rule.trim().to_owned());
        } else if let Some(name) = line.strip_prefix("case ") {
            title = Some(name.to_owned());
        } else if line == "plan" {
            planned = true;
        } else {
            given.push(line.to_owned());
        }
    }
    let title = title.unwrap_or_else(|| panic!("{}: a case without a title: {paragraph}", file.display()));
    Case { file: file.to_owned(), title, rules, given, expected }
}

fn planned(case: &Case) -> SyncPlan {
    let place = || format!("{}: {}", case.file.display(), case.title);
    let mut situation = Situation::new();
    for line in &case.given {
        situation.take(line).unwrap_or_else(|why| panic!("{}: {line}: {why}", place()));
    }
    let observation = situation.observation();
    let first = plan(&observation);
    assert_eq!(plan(&observation), first, "{}: two looks at the same picture differ", place());
    if !situation.confirms {
        return first;
    }
    // A person confirms what is asked for, in the words of the first plan.
    let asked: Vec<Digest> = first.holds.iter().filter_map(asked_for).collect();
    assert!(!asked.is_empty(), "{}: nothing is to be confirmed", place());
    situation.confirm(asked);
    plan(&situation.observation())
}

fn asked_for(hold: &HoldReason) -> Option<Digest> {
    match hold {
        HoldReason::PruneGuard { plan, .. }
        | HoldReason::Moves { plan, .. }
        | HoldReason::OtherCluster { plan, .. } => Some(*plan),
        _ => None,
    }
}

/// A plan in lines. Digests of plans are left out: they are no words.
fn told(plan: &SyncPlan, now: jiff::Timestamp) -> Vec<String> {
    let mut lines = vec![format!("{} {}", plan.sync.as_str(), plan.health.as_str())];
    for step in &plan.steps {
        match step {
            Step::Apply { wave, objects } => {
                for object in objects {
                    let step = Step::Apply { wave: *wave, objects: vec![object.clone()] };
                    let mut line = StepReport::from(&step).text.concat();
                    match &object.force {
                        Force::Never => {}
                        Force::Always => line.push_str(" with force"),
                        Force::FromVersion(version) => {
                            write!(line, " with force from version {version}").unwrap();
                        }
                    }
                    match object.replicas {
                        ReplicasRule::AsWritten => {}
                        ReplicasRule::Live(number) => write!(line, " with {number} replicas").unwrap(),
                        ReplicasRule::LeftOut => line.push_str(" without replicas"),
                    }
                    lines.push(line);
                }
            }
            Step::WriteSet { slot, carried, .. } => {
                let slot = if *slot == Slot::A { "a" } else { "b" };
                let mut line = format!("{} into slot {slot}", StepReport::from(step).text.concat());
                for id in carried {
                    write!(line, ", which still owns {id}").unwrap();
                }
                lines.push(line);
            }
            Step::AwaitHealth { waiting, .. } => {
                let waiting: Vec<String> = waiting.iter().map(|(id, why)| format!("{id} ({why})")).collect();
                let of = if waiting.is_empty() { String::new() } else { format!(": {}", waiting.join(", ")) };
                lines.push(format!("{}{of}", StepReport::from(step).text.concat()));
            }
            Step::NoteRemoved { leaving, .. } => {
                let mut line = StepReport::from(step).text.concat();
                for id in leaving {
                    write!(line, ", but for {id}").unwrap();
                }
                lines.push(line);
            }
            _ => lines.extend(StepReport::from(step).text),
        }
    }
    for hold in &plan.holds {
        let asked = asked_for(hold).map(|digest| digest.to_string()).unwrap_or_default();
        let mut message = hold.message();
        if !asked.is_empty() {
            message = message.replace(&asked, "DIGEST");
        }
        lines.push(format!("hold {} ({}): {message}", hold.name(), hold.class().as_str()));
    }
    if let Some(wake) = plan.wake {
        lines.push(format!("looks again in {} s", wake.duration_since(now).as_secs()));
    }
    lines
}

fn write_case(text: &mut String, case: &Case, lines: &[String]) {
    for rule in &case.rules {
        writeln!(text, "§{rule}").unwrap();
    }
    writeln!(text, "case {}", case.title).unwrap();
    for line in &case.given {
        writeln!(text, "  {line}").unwrap();
    }
    writeln!(text, "plan").unwrap();
    for line in lines {
        writeln!(text, "  {line}").unwrap();
    }
}

#[test]
fn every_situation_gives_its_plan() {
    let update = std::env::var("UPDATE_EXPECT").is_ok_and(|value| value == "1");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let comments: Vec<&str> = text.split("\n\n").take_while(|part| part.starts_with('#')).collect();
        let mut paragraphs: Vec<String> =
            comments.into_iter().map(|part| format!("{}\n", part.trim())).collect();
        for case in cases(&file) {
            count += 1;
            let lines = told(&planned(&case), Situation::now());
            if lines != case.expected {
                let (expected, got) = (case.expected.join("\n    "), lines.join("\n    "));
                let file = file.display();
                wrong.push(format!("{file}: {}\n  expected\n    {expected}\n  got\n    {got}", case.title));
            }
            let mut paragraph = String::new();
            write_case(&mut paragraph, &case, &lines);
            paragraphs.push(paragraph);
        }
        if update {
            std::fs::write(&file, paragraphs.join("\n")).unwrap();
        }
    }
    assert!(update || wrong.is_empty(), "{} of {count} plans differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 80, "{count} cases");
}

#[test]
fn every_case_names_its_rule_and_none_stands_twice() {
    let mut titles = BTreeSet::new();
    for case in files().iter().flat_map(|file| cases(file)) {
        assert!(!case.rules.is_empty(), "{}: {} names no rule", case.file.display(), case.title);
        assert!(titles.insert(case.title.clone()), "{} stands twice", case.title);
    }
}

#[test]
fn every_reason_to_hold_is_in_a_plan() {
    let cases: Vec<Case> = files().iter().flat_map(|file| cases(file)).collect();
    let shown: BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| &case.expected)
        .filter_map(|line| line.strip_prefix("hold ")?.split(' ').next())
        .collect();
    let all: BTreeSet<&str> = every_hold().iter().map(HoldReason::name).collect();
    let missing: Vec<&&str> = all.difference(&shown).collect();
    assert!(missing.is_empty(), "no case holds for {missing:?}");
}
