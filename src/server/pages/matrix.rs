//! The matrix: a row for each service, a column for each environment.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::markup;
use crate::model::facts::Version;
use crate::model::hold::HoldClass;
use crate::report::mark::Mark;
use crate::report::oddities::{extras, is_problem, oddities};
use crate::report::status::{ApplicationStatus, Board};
use crate::report::version;
use crate::report::words;
use crate::server::filter::Filter;

/// Draws the page.
pub(super) fn draw(board: &Board, filter: &Filter) -> Markup {
    let environments = environments(board);
    let shown: Vec<&ApplicationStatus> = board.applications.iter().filter(|one| filter.shows(one)).collect();
    html! {
        h1.unseen { "Applications" }
        (summary(board, filter))
        (filters(&environments, filter))
        div id="matrix" {
            @if shown.is_empty() {
                (nothing(board, filter))
            } @else {
                (table(&environments, filter, &shown))
                (legend())
            }
        }
    }
}

/// The environments of `moorline.yaml`, then those that only applications name.
fn environments(board: &Board) -> Vec<&str> {
    let mut names: Vec<&str> = board.environments.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = names.iter().copied().collect();
    let others: BTreeSet<&str> = board.applications.iter().map(|one| one.environment.as_str()).collect();
    names.extend(others.difference(&known));
    names
}

fn summary(board: &Board, filter: &Filter) -> Markup {
    let held = |class| {
        let has = |one: &&ApplicationStatus| one.holds.iter().any(|hold| hold.class == class);
        board.applications.iter().filter(has).count()
    };
    let problems = board.applications.iter().filter(|one| is_problem(one)).count();
    let (faults, waiting) = (held(HoldClass::Fault), held(HoldClass::Waiting));
    let all = filter.with_problems(false).address();
    let only = filter.with_problems(true).address();
    let figure = |number: usize, noun: &str, style: &str| {
        html! { strong class=(if number == 0 { "none" } else { style }) { (number) } " " (noun) }
    };
    html! {
        nav.summary id="summary" aria-label="Summary" {
            a href=(all) aria-current=[(!filter.problems).then_some("true")] {
                (figure(board.applications.len(), "applications", "all"))
            }
            a href=(only) aria-current=[filter.problems.then_some("true")] {
                (figure(problems, "not as they should be", "busy"))
            }
            span { (figure(faults, "need a person", "bad")) }
            span { (figure(waiting, "waiting", "busy")) }
        }
    }
}

fn filters(environments: &[&str], filter: &Filter) -> Markup {
    let everywhere = filter.environments.is_empty();
    html! {
        form.filters method="get" action="/" role="search" {
            nav.chips aria-label="Environments" {
                a href=(filter.with_environment(None).address()) aria-current=[everywhere.then_some("true")] { "all" }
                @for name in environments {
                    @let chosen = !everywhere && filter.has_environment(name);
                    a href=(filter.with_environment(Some(name)).address()) aria-current=[chosen.then_some("true")] {
                        bdi { (name) }
                    }
                }
            }
            @for name in &filter.environments {
                input type="hidden" name="environment" value=(name);
            }
            label.find {
                span.unseen { "Service or namespace" }
                input type="search" name="q" value=(filter.text) placeholder="service or namespace" maxlength="100"
                    autocapitalize="none" spellcheck="false";
            }
            label.only {
                input type="checkbox" name="only" value="problems" checked[filter.problems];
                " only problems"
            }
            button type="submit" { "Show" }
        }
    }
}

fn nothing(board: &Board, filter: &Filter) -> Markup {
    html! {
        section.empty {
            @if board.applications.is_empty() {
                h2 { "No applications yet" }
                p { "They appear when the config repository was read." }
            } @else if filter.problems {
                h2 { "Everything is as it should be" }
                p { a href=(filter.with_problems(false).address()) { "Show all" } }
            } @else {
                h2 { "Nothing matches" }
                p { a href="/" { "Show all" } }
            }
        }
    }
}

fn table(environments: &[&str], filter: &Filter, shown: &[&ApplicationStatus]) -> Markup {
    let columns: Vec<&str> =
        environments.iter().copied().filter(|name| filter.has_environment(name)).collect();
    let mut rows: BTreeMap<&str, BTreeMap<&str, &ApplicationStatus>> = BTreeMap::new();
    for one in shown {
        rows.entry(&one.service).or_default().insert(&one.environment, one);
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Services by environment" {
            table.matrix {
                thead { tr {
                    th scope="col" { (words::counted(rows.len(), "service")) }
                    @for name in &columns { th scope="col" { bdi { (name) } } }
                } }
                tbody {
                    @for (service, cells) in &rows {
                        tr {
                            th scope="row" { bdi { (service) } }
                            @for name in &columns {
                                @match cells.get(name) {
                                    Some(application) => (cell(application)),
                                    None => td.absent { span aria-hidden="true" { "·" } },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(application: &ApplicationStatus) -> Markup {
    let mark = Mark::of(application);
    let oddities = oddities(application);
    let extras = extras(application);
    html! {
        td class=(mark.as_str()) {
            a href=(markup::address(application)) data-environment=(application.environment) {
                span.line {
                    span.mark aria-hidden="true" {}
                    (version(application))
                    @if extras > 0 {
                        span.extra title=(words::counted(extras, "field") + " set by others") { "+" (extras) }
                    }
                }
                @if oddities.is_empty() {
                    span.unseen { "Synced, Healthy" }
                } @else {
                    span.odd { (oddities.join(" · ")) }
                }
            }
        }
    }
}

/// What runs, and what is to come where that differs.
fn version(application: &ApplicationStatus) -> Markup {
    let deployed = application.deployed.as_ref().map(Version::label);
    let coming = version::coming(application);
    html! {
        @match (&deployed, &coming) {
            (Some(deployed), Some(coming)) => {
                code { (deployed) } span.arrow aria-label="to become" { "→" } code.next { (coming) }
            },
            (Some(label), _) => code { (label) },
            (None, Some(label)) => { span.arrow aria-label="to become" { "→" } code.next { (label) } },
            (None, None) => span.none { "none" },
        }
    }
}

fn legend() -> Markup {
    html! {
        ul.legend aria-label="Legend" {
            @for mark in [Mark::Fine, Mark::Busy, Mark::Bad, Mark::Resting, Mark::Unclear] {
                li class=(mark.as_str()) { span.mark aria-hidden="true" {} (mark.meaning()) }
            }
            li { span.extra { "+1" } "field set by others" }
        }
    }
}
