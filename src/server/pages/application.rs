//! One application's page: what is wanted, deployed and blocked, what is held and why, and every object.

use jiff::Timestamp;
use maud::{Markup, html};

use super::markup;
use crate::model::drift::{ExtraField, FieldChange, SyncStatus};
use crate::model::facts::Version;
use crate::model::health::HealthStatus;
use crate::model::inventory::Suspension;
use crate::report::hold::{HoldStatus, outlook};
use crate::report::mark::Mark;
use crate::report::status::{ApplicationStatus, Board, ResourceStatus};
use crate::report::words;

/// Draws the page; `siblings` are the same service in every environment, this one included.
pub(super) fn draw(
    board: &Board,
    application: &ApplicationStatus,
    siblings: &[&ApplicationStatus],
) -> Markup {
    html! {
        nav.trail aria-label="You are here" {
            a href="/" { "Applications" }
            span aria-hidden="true" { "/" }
            bdi { (application.environment) }
        }
        div.title id="title" {
            h1 { bdi { (application.service) } }
            (state(application))
        }
        @if siblings.len() > 1 { (others(application, siblings)) }
        div id="notes" {
            @if let Some(suspension) = &application.suspended { (suspended(suspension, board.time)) }
            @if application.never_promoted {
                p.note { "Never promoted: this environment follows no branch, and versions.yaml has no pin for it. Nothing is deployed." }
            }
            @if let Some(awaiting) = &application.awaiting {
                p.note { strong { "Awaiting" } ": it " (markup::prose(&words::awaiting(awaiting))) }
            }
            @if !application.holds.is_empty() { (holds(&application.holds, board.time)) }
            @for notice in &application.notices { p.note { (markup::prose(notice)) } }
        }
        (facts(application))
        (objects(application))
    }
}

fn state(application: &ApplicationStatus) -> Markup {
    let mark = Mark::of(application);
    html! {
        p.state {
            span class={ "pill " (mark.as_str()) } {
                span.mark aria-hidden="true" {}
                (application.health.as_str())
            }
            span.pill { (application.sync.as_str()) }
            @if application.namespace.is_empty() {
                span.muted { "namespace unknown" }
            } @else {
                span.muted { "namespace " code { (application.namespace) } }
            }
        }
    }
}

fn others(application: &ApplicationStatus, siblings: &[&ApplicationStatus]) -> Markup {
    html! {
        nav.chips.siblings id="siblings" aria-label="The same service elsewhere" {
            @for sibling in siblings {
                @let here = sibling.environment == application.environment;
                a class=(Mark::of(sibling).as_str()) href=(markup::address(sibling)) aria-current=[here.then_some("page")] {
                    span.mark aria-hidden="true" {}
                    bdi { (sibling.environment) } " "
                    @if let Some(version) = sibling.deployed.as_ref() { code { (version.label()) } }
                }
            }
        }
    }
}

fn suspended(suspension: &Suspension, now: Option<Timestamp>) -> Markup {
    html! {
        p.note {
            strong { "Suspended" }
            @if let Some(actor) = &suspension.actor { " by " bdi { (actor) } }
            @if let Some(until) = suspension.until { " until " (markup::moment(until)) }
            ": " (suspension.reason)
            @if now.zip(suspension.until).is_some_and(|(now, until)| until <= now) { " (over)" }
        }
    }
}

fn holds(holds: &[HoldStatus], now: Option<Timestamp>) -> Markup {
    html! {
        section.holds aria-label="Holds" {
            @for hold in holds {
                article class={ "hold " (Mark::of_hold(hold.class).as_str()) } {
                    h2 { span.mark aria-hidden="true" {} (hold.reason) }
                    p.muted {
                        (outlook(hold.class))
                        @if let Some(since) = hold.since { ", for " (markup::lasting(since, now)) }
                    }
                    p.sentence { (markup::prose(&hold.message)) }
                }
            }
        }
    }
}

fn facts(application: &ApplicationStatus) -> Markup {
    let deployed = application.deployed.as_ref();
    let rows = [
        ("wanted", application.wanted.as_ref()),
        ("deployed", deployed),
        ("blocked", application.blocked.as_ref()),
    ];
    html! {
        section id="facts" {
            h2 { "Versions" }
            div.scroll {
                table.facts {
                    thead { tr {
                        th scope="col" { "" }
                        @for name in ["commit", "chart", "image", "config", "set"] { th scope="col" { (name) } }
                    } }
                    tbody {
                        @for (name, version) in rows {
                            tr class=(name) {
                                th scope="row" { (name) }
                                @match version {
                                    Some(version) => (fact(version, deployed)),
                                    None => td.none colspan="5" { "none" },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The cells of one version; those that differ from what runs stand out.
fn fact(version: &Version, deployed: Option<&Version>) -> Markup {
    let cell = |name: &str, of: &dyn Fn(&Version) -> Option<(String, String)>| {
        let value = of(version);
        let differs = deployed.is_some_and(|deployed| of(deployed) != value);
        html! {
            td data-name=(name) class=[differs.then_some("differs")] {
                @match value {
                    Some((short, full)) => code title=(full) { (short) },
                    None => span.none { "–" },
                }
            }
        }
    };
    let same = |text: &Option<String>| text.clone().map(|text| (text.clone(), text));
    html! {
        (cell("commit", &|version| version.commit.map(|commit| (commit.short(), commit.to_string()))))
        (cell("chart", &|version| same(&version.chart)))
        (cell("image", &|version| same(&version.image)))
        (cell("config", &|version| Some((version.config.short(), version.config.to_string()))))
        (cell("set", &|version| Some((version.digest.short(), version.digest.to_string()))))
    }
}

fn objects(application: &ApplicationStatus) -> Markup {
    let mut objects: Vec<&ResourceStatus> = application.resources.iter().collect();
    objects.sort_by_key(|object| Mark::of_object(object.sync, object.health));
    html! {
        section id="objects" {
            h2 { "Objects " span.muted { (objects.len()) } }
            @if objects.is_empty() {
                p.muted { "There are none." }
            } @else {
                div.scroll {
                    table.objects {
                        thead { tr {
                            @for name in ["object", "sync", "health", "what there is to say"] { th scope="col" { (name) } }
                        } }
                        tbody { @for (number, object) in objects.iter().enumerate() {
                            (row(object, &application.namespace, number))
                        } }
                    }
                }
            }
        }
    }
}

fn row(object: &ResourceStatus, namespace: &str, number: usize) -> Markup {
    let mark = Mark::of_object(object.sync, object.health);
    html! {
        tr class=(mark.as_str()) {
            th scope="row" {
                span.mark aria-hidden="true" {}
                span.kind title=[(!object.group.is_empty()).then_some(&object.group)] { (object.kind) }
                " " bdi.name { (object.name) }
                @if !object.namespace.is_empty() && object.namespace != namespace {
                    " " span.muted { "in " bdi { (object.namespace) } }
                }
            }
            td class=(Mark::of_object(object.sync, HealthStatus::Healthy).as_str()) { (object.sync.as_str()) }
            td class=(Mark::of_object(SyncStatus::Synced, object.health).as_str()) { (object.health.as_str()) }
            td.say {
                @if !object.message.is_empty() { p.sentence { (object.message) } }
                @if !object.changes.is_empty() { (changes(&object.changes, number)) }
                @if !object.extras.is_empty() { (extras(&object.extras, number)) }
            }
        }
    }
}

fn changes(changes: &[FieldChange], number: usize) -> Markup {
    html! {
        details.changes id={ "changes-" (number) } open {
            summary { (words::counted(changes.len(), "field")) " to change" }
            ul { @for change in changes {
                li {
                    code { (change.field) } " "
                    @match &change.before {
                        Some(before) => del { bdi { (before) } },
                        None => span.muted { "not there" },
                    }
                    " → "
                    @match &change.after {
                        Some(after) => ins { bdi { (after) } },
                        None => span.muted { "removed" },
                    }
                }
            } }
        }
    }
}

fn extras(extras: &[ExtraField], number: usize) -> Markup {
    html! {
        details id={ "extras-" (number) } {
            summary { (words::counted(extras.len(), "field")) " set by others" }
            ul { @for extra in extras {
                li {
                    code { (extra.field) } " by " bdi { (extra.manager) }
                    @if let Some(time) = &extra.time { span.muted { ", " (time) } }
                }
            } }
        }
    }
}
