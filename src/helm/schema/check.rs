//! Checks a value against the nodes of a schema, in the order in which Helm's library does.

use std::collections::{BTreeMap, BTreeSet};

use super::address::escape_token;
use super::documents::Resource;
use super::draft::Draft;
use super::json::{Json, Kind};
use super::misfit::{Message, Misfit, single_quoted};
use super::node::{Node, NodeId, NumberRules, TextRules};
use super::number::{Decimal, grouped, shown};
use crate::stack::on_large_stack;
use crate::value::convert::quote;

mod combination;
mod list;
mod object;

/// How many schemas are applied to values at most, and how many to one value inside of others.
const STEPS: usize = 5_000_000;
const DEPTH: usize = 2_000;
/// So many fit on any thread's stack.
const SHALLOW: usize = if cfg!(debug_assertions) { 40 } else { 150 };

type Verdict = Result<(), Vec<Misfit>>;

/// Checks on the caller's stack, or on a larger one if schemas nest deeply.
fn with_room(check: impl Fn(usize) -> Option<Verdict> + Sync) -> Verdict {
    if let Some(verdict) = check(SHALLOW) {
        return verdict;
    }
    let deep = on_large_stack(|| check(DEPTH)).flatten();
    let too_deep = || vec![Misfit::new(String::new(), format!("schema nests deeper than {DEPTH} levels"))];
    deep.unwrap_or_else(|| Err(too_deep()))
}

/// So many steps of all ways share one memory in Helm's library.
const SHARED: usize = 8;

/// Checks a value against the first node or another one.
pub(super) fn check(nodes: &[Node], node: NodeId, value: &Json, old: bool) -> Verdict {
    with_room(|deepest| Checker::new(nodes, old, None, deepest).top(node, value))
}

/// Checks a schema against its metaschema; schemas inside with drafts of their own against theirs.
pub(super) fn check_schema(
    nodes: &[Node],
    node: NodeId,
    schema: &Json,
    old: bool,
    inner: &BTreeMap<String, Resource>,
    metaschema: fn(Draft) -> NodeId,
) -> Verdict {
    let inner = Inner { resources: inner, metaschema };
    with_room(|deepest| Checker::new(nodes, old, Some(inner), deepest).top(node, schema))
}

/// Resources of a schema that is checked itself, and where the metaschemas are.
#[derive(Clone, Copy)]
struct Inner<'c> {
    resources: &'c BTreeMap<String, Resource>,
    metaschema: fn(Draft) -> NodeId,
}

#[derive(Clone, Copy)]
enum Token<'j> {
    Key(&'j str),
    Index(usize),
}

struct Checker<'c, 'j> {
    nodes: &'c [Node],
    /// Whether as the library of Helm before 4.3.
    old: bool,
    inner: Option<Inner<'c>>,
    /// The way to the value.
    path: Vec<Token<'j>>,
    /// The last step at each depth: Helm's library shows keys that do not fit where it was last.
    last: [Option<Token<'j>>; SHARED],
    steps: usize,
    deepest: usize,
    too_deep: bool,
    /// Set once a limit is hit: all that follows fails at once.
    exhausted: Option<String>,
}

/// The schemas on the way to one.
struct Scope<'s> {
    node: NodeId,
    /// The keyword of a reference that led here.
    keyword: Option<&'static str>,
    /// How many values are around this one.
    level: usize,
    depth: usize,
    parent: Option<&'s Scope<'s>>,
}

/// What no schema has looked at, where somebody asks.
#[derive(Default)]
struct Unevaluated<'j> {
    keys: BTreeSet<&'j str>,
    items: BTreeSet<usize>,
}

impl Unevaluated<'_> {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.items.is_empty()
    }

    /// Keeps what another schema has not looked at either.
    fn merge(&mut self, other: &Self) {
        self.keys.retain(|key| other.keys.contains(key));
        self.items.retain(|item| other.items.contains(item));
    }
}

/// One schema over one value.
struct Task<'c, 'j, 's> {
    node: &'c Node,
    value: &'j Json,
    scope: &'s Scope<'s>,
    unevaluated: Unevaluated<'j>,
    found: Vec<Misfit>,
    /// Whether it is only asked if the value fits.
    quiet: bool,
    /// The metaschema's root, where a schema is checked.
    metaschema: Option<NodeId>,
}

/// Whether a number breaks a bound.
type Breaks = fn(&Decimal, &Decimal) -> bool;

type Outcome<'j> = Result<Unevaluated<'j>, Misfit>;

impl<'c, 'j> Checker<'c, 'j> {
    fn new(nodes: &'c [Node], old: bool, inner: Option<Inner<'c>>, deepest: usize) -> Self {
        Self {
            nodes,
            old,
            inner,
            path: Vec::new(),
            last: [None; SHARED],
            steps: 0,
            deepest,
            too_deep: false,
            exhausted: None,
        }
    }

    /// Checks a value; nothing if that nests too deeply.
    fn top(&mut self, node: NodeId, value: &'j Json) -> Option<Verdict> {
        let scope = Scope { node, keyword: None, level: 0, depth: 0, parent: None };
        let outcome = self.apply(node, value, &scope, (false, false), self.inner.map(|_| node));
        if self.too_deep {
            return None;
        }
        Some(match (self.exhausted.take(), outcome) {
            (Some(limit), _) => Err(vec![Misfit::new(String::new(), limit)]),
            (None, Ok(_)) => Ok(()),
            (None, Err(misfit)) => {
                let mut misfits = misfit.ungrouped();
                let place = |depth| self.last.get(..depth).map(|steps| pointer(steps.iter().flatten()));
                misfits.iter_mut().for_each(|misfit| misfit.place_keys(&place));
                Err(misfits)
            }
        })
    }

    fn pointer(&self) -> String {
        pointer(&self.path)
    }

    fn misfit(&self, quiet: bool, message: impl FnOnce() -> String) -> Misfit {
        if quiet { Misfit::new(String::new(), String::new()) } else { Misfit::new(self.pointer(), message()) }
    }

    fn add(&self, task: &mut Task<'c, 'j, '_>, message: impl FnOnce() -> String) {
        task.found.push(self.misfit(task.quiet, message));
    }

    fn add_with_causes(
        &self,
        task: &mut Task<'c, 'j, '_>,
        causes: Vec<Misfit>,
        message: impl FnOnce() -> String,
    ) {
        let misfit = self.misfit(task.quiet, message);
        task.found.push(Misfit { causes, ..misfit });
    }

    /// Applies another schema to the same value.
    fn same(
        &mut self,
        task: &mut Task<'c, 'j, '_>,
        node: NodeId,
        keyword: Option<&'static str>,
        quiet: bool,
    ) -> Result<(), Misfit> {
        let (level, depth) = (task.scope.level, task.scope.depth + 1);
        let wanted = !task.unevaluated.is_empty();
        let (node, metaschema) = self.of_dialect(node, task.metaschema);
        let scope = Scope { node, keyword, level, depth, parent: Some(task.scope) };
        let unevaluated = self.apply(node, task.value, &scope, (task.quiet || quiet, wanted), metaschema)?;
        task.unevaluated.merge(&unevaluated);
        Ok(())
    }

    /// Applies a schema to a value inside.
    fn inside(
        &mut self,
        task: &Task<'c, 'j, '_>,
        node: NodeId,
        value: &'j Json,
        token: Token<'j>,
    ) -> Result<(), Misfit> {
        if let Some(last) = self.last.get_mut(self.path.len()) {
            *last = Some(token);
        }
        self.path.push(token);
        let (node, metaschema) = self.of_dialect(node, task.metaschema);
        let (level, depth) = (task.scope.level + 1, task.scope.depth + 1);
        let scope = Scope { node, keyword: None, level, depth, parent: Some(task.scope) };
        let outcome = self.apply(node, value, &scope, (task.quiet, false), metaschema);
        self.path.pop();
        outcome.map(drop)
    }

    /// Where a metaschema meets a schema of another draft, that one's metaschema goes on.
    fn of_dialect(&self, node: NodeId, metaschema: Option<NodeId>) -> (NodeId, Option<NodeId>) {
        let Some(inner) = self.inner.filter(|inner| inner.resources.len() > 1 && metaschema == Some(node))
        else {
            return (node, metaschema);
        };
        match inner.resources.get(&self.pointer()) {
            Some(resource) => {
                let node = (inner.metaschema)(resource.draft);
                (node, Some(node))
            }
            None => (node, metaschema),
        }
    }

    /// `modes`: whether it is only asked if the value fits, and whether the caller asks for what
    /// was not looked at.
    fn apply(
        &mut self,
        id: NodeId,
        value: &'j Json,
        scope: &Scope<'_>,
        modes: (bool, bool),
        metaschema: Option<NodeId>,
    ) -> Outcome<'j> {
        let (quiet, wanted) = modes;
        self.steps += 1;
        if self.steps > STEPS {
            self.exhausted.get_or_insert_with(|| format!("schema takes more than {STEPS} steps"));
        }
        self.too_deep |= scope.depth > self.deepest;
        let goes_on = !self.too_deep && self.exhausted.is_none();
        let Some(node) = self.nodes.get(id).filter(|_| goes_on) else {
            return Err(Misfit::new(String::new(), String::new()));
        };
        let unevaluated = unevaluated(node, value, wanted);
        if let Some(verdict) = self.stops(node, value, scope, quiet) {
            return verdict.map(|()| unevaluated);
        }
        let mut task = Task { node, value, scope, unevaluated, found: Vec::new(), quiet, metaschema };
        if let Some(target) = node.references.plain {
            let outcome = self.reference(&mut task, target, "$ref");
            if node.draft < Draft::Draft2019 {
                return outcome.map(|()| task.unevaluated);
            }
            task.found.extend(outcome.err());
        }
        match value {
            Json::Map(map) => self.object(&mut task, map),
            Json::List(items) => self.list(&mut task, items),
            Json::Text(text) => self.text(&mut task, text),
            Json::Number(number) => self.number(&mut task, &number.decimal()),
            Json::Nil | Json::Bool(_) => {}
        }
        if task.found.is_empty() || !quiet {
            self.references(&mut task);
            self.combination(&mut task);
            self.unevaluated(&mut task);
        }
        match task.found.len() {
            0 => Ok(task.unevaluated),
            1 => Err(task.found.pop().unwrap_or_else(|| Misfit::new(String::new(), ""))),
            _ => {
                let at = if quiet { String::new() } else { self.pointer() };
                Err(Misfit { at, message: Message::Group, causes: task.found })
            }
        }
    }

    /// What ends the check at once: a verdict, a misfit of the value as a whole.
    fn stops(&self, node: &Node, value: &Json, scope: &Scope<'_>, quiet: bool) -> Option<Result<(), Misfit>> {
        let misfit = |message: &dyn Fn() -> String| Some(Err(self.misfit(quiet, message)));
        if let Some(verdict) = node.verdict {
            return if verdict { Some(Ok(())) } else { misfit(&|| "false schema".to_owned()) };
        }
        if let Some(url) = &node.elsewhere {
            return misfit(&|| format!("reference {} cannot be resolved", single_quoted(url)));
        }
        if let Some(again) = cycle(scope) {
            let place = node.place.to_string();
            let (first, second) = (self.keywords(scope), self.keywords(again));
            let place = quote(place.as_bytes());
            return misfit(&|| {
                format!("both {first} and {second} resolve to {place} causing reference cycle")
            });
        }
        if !node.types.is_empty() && !node.types.iter().any(|kind| is_of(value, *kind)) {
            let wanted: Vec<&str> = node.types.iter().map(|kind| kind.name()).collect();
            return misfit(&|| format!("got {}, want {}", value.kind().name(), wanted.join(" or ")));
        }
        if let Some(constant) = node.constant.as_ref().filter(|constant| !self.equal(value, constant)) {
            return misfit(&|| match constant {
                Json::List(_) | Json::Map(_) => "'const' failed".to_owned(),
                plain => format!("value must be {}", shown_value(plain)),
            });
        }
        if let Some(choices) = &node.choices
            && !(choices.iter().any(|choice| choice.kind() == value.kind())
                && choices.iter().any(|choice| self.equal(value, choice)))
        {
            return misfit(&|| choices_message(choices));
        }
        if let (Some(format), Json::Text(text)) = (node.format, value)
            && let Err(message) = format.check(text, self.old)
        {
            return misfit(&|| format!("{} is not valid {}: {message}", single_quoted(text), format.name()));
        }
        None
    }

    fn equal(&self, value: &Json, wanted: &Json) -> bool {
        // The older library read the text of a number as one.
        if let (true, Json::Number(number), Json::Text(text)) = (self.old, value, wanted) {
            let plain =
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"-.eE".contains(&byte));
            return plain
                && text.parse::<f64>().is_ok()
                && number.decimal() == super::number::Number::new(text).decimal();
        }
        value.equals(wanted)
    }

    /// The keywords that lead to a schema.
    fn keywords(&self, scope: &Scope<'_>) -> String {
        let mut parts = Vec::new();
        let mut current = scope;
        while let Some(above) = current.parent {
            parts.push(match current.keyword {
                Some(keyword) => format!("/{}", escape_token(keyword)),
                None => {
                    let place = |id: NodeId| {
                        self.nodes.get(id).map(|node| node.place.to_string()).unwrap_or_default()
                    };
                    let above = place(above.node).len();
                    place(current.node).get(above..).unwrap_or("").to_owned()
                }
            });
            current = above;
        }
        parts.reverse();
        parts.concat()
    }

    fn reference(
        &mut self,
        task: &mut Task<'c, 'j, '_>,
        target: NodeId,
        keyword: &'static str,
    ) -> Result<(), Misfit> {
        self.same(task, target, Some(keyword), false).map_err(|misfit| {
            let at = if task.quiet { String::new() } else { self.pointer() };
            Misfit { at, message: Message::Reference, causes: misfit.ungrouped() }
        })
    }

    fn references(&mut self, task: &mut Task<'c, 'j, '_>) {
        let references = &task.node.references;
        if let Some(target) = references.recursive {
            let target = self.recursive_target(task.scope, target);
            let outcome = self.reference(task, target, "$recursiveRef");
            task.found.extend(outcome.err());
        }
        if let Some((target, anchor)) = &references.dynamic {
            let target = self.dynamic_target(task.scope, *target, anchor.as_deref());
            let outcome = self.reference(task, target, "$dynamicRef");
            task.found.extend(outcome.err());
        }
    }

    fn resource_of(&self, id: NodeId) -> Option<&'c Node> {
        self.nodes.get(self.nodes.get(id)?.resource)
    }

    /// The outermost schema on the way whose resource lets itself be replaced.
    fn recursive_target(&self, scope: &Scope<'_>, first: NodeId) -> NodeId {
        if !self.nodes.get(first).is_some_and(|node| node.references.recursive_anchor) {
            return first;
        }
        let (mut target, mut current) = (first, Some(scope));
        while let Some(scope) = current {
            if self.resource_of(scope.node).is_some_and(|resource| resource.references.recursive_anchor) {
                target = scope.node;
            }
            current = scope.parent;
        }
        target
    }

    /// What the outermost resource on the way calls by the anchor.
    fn dynamic_target(&self, scope: &Scope<'_>, first: NodeId, anchor: Option<&str>) -> NodeId {
        let own = self.nodes.get(first).and_then(|node| node.references.dynamic_anchor.as_deref());
        let Some(anchor) = anchor.filter(|anchor| own == Some(*anchor)) else { return first };
        let (mut target, mut current) = (first, Some(scope));
        while let Some(scope) = current {
            let anchors = self.resource_of(scope.node).map(|resource| &resource.references.dynamic_anchors);
            if let Some(found) = anchors.and_then(|anchors| anchors.get(anchor)) {
                target = *found;
            }
            current = scope.parent;
        }
        target
    }

    fn unevaluated(&mut self, task: &mut Task<'c, 'j, '_>) {
        if let (Some(node), Json::Map(map)) = (task.node.unevaluated_properties, task.value) {
            for key in std::mem::take(&mut task.unevaluated.keys) {
                if let Some(value) = map.get(key) {
                    let outcome = self.inside(task, node, value, Token::Key(key));
                    task.found.extend(outcome.err());
                }
            }
        }
        if let (Some(node), Json::List(items)) = (task.node.unevaluated_items, task.value) {
            for index in std::mem::take(&mut task.unevaluated.items) {
                if let Some(value) = items.get(index) {
                    let outcome = self.inside(task, node, value, Token::Index(index));
                    task.found.extend(outcome.err());
                }
            }
        }
    }

    fn text(&self, task: &mut Task<'c, 'j, '_>, text: &str) {
        let Some(TextRules { least, most, pattern }) = task.node.text.as_deref() else { return };
        if least.is_some() || most.is_some() {
            self.counts(task, ("minLength", *least), ("maxLength", *most), text.chars().count());
        }
        if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_match(text.as_bytes())) {
            self.add(task, || {
                format!("{} does not match pattern {}", single_quoted(text), single_quoted(pattern.pattern()))
            });
        }
    }

    fn counts(
        &self,
        task: &mut Task<'c, 'j, '_>,
        least: (&str, Option<i64>),
        most: (&str, Option<i64>),
        count: usize,
    ) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let message = |keyword: &str, wanted: i64| {
            format!("{keyword}: got {}, want {}", grouped(count), grouped(wanted))
        };
        if let Some(wanted) = least.1.filter(|wanted| count < *wanted) {
            self.add(task, || message(least.0, wanted));
        }
        if let Some(wanted) = most.1.filter(|wanted| count > *wanted) {
            self.add(task, || message(most.0, wanted));
        }
    }

    fn number(&self, task: &mut Task<'c, 'j, '_>, number: &Decimal) {
        let Some(rules) = task.node.number.as_deref() else { return };
        let NumberRules { minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of } = rules;
        let bounds: [(&str, &Option<Decimal>, Breaks); 5] = [
            ("minimum", minimum, |number, wanted| number < wanted),
            ("maximum", maximum, |number, wanted| number > wanted),
            ("exclusiveMinimum", exclusive_minimum, |number, wanted| number <= wanted),
            ("exclusiveMaximum", exclusive_maximum, |number, wanted| number >= wanted),
            ("multipleOf", multiple_of, |number, wanted| !number.is_multiple_of(wanted)),
        ];
        for (keyword, wanted, breaks) in bounds {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| breaks(number, wanted)) {
                self.add(task, || format!("{keyword}: got {}, want {}", shown(number), shown(wanted)));
            }
        }
    }
}

/// The schema on the way that is applied to the same value already.
fn cycle<'s>(scope: &'s Scope<'s>) -> Option<&'s Scope<'s>> {
    let mut current = scope.parent;
    while let Some(above) = current.filter(|above| above.level == scope.level) {
        if above.node == scope.node {
            return Some(above);
        }
        current = above.parent;
    }
    None
}

fn pointer<'p, 'j: 'p>(path: impl IntoIterator<Item = &'p Token<'j>>) -> String {
    let mut out = String::new();
    for token in path {
        out.push('/');
        match token {
            Token::Key(key) => out.push_str(&escape_token(key)),
            Token::Index(index) => out.push_str(&index.to_string()),
        }
    }
    out
}

fn unevaluated<'j>(node: &Node, value: &'j Json, wanted: bool) -> Unevaluated<'j> {
    let mut unevaluated = Unevaluated::default();
    match value {
        Json::Map(map) if wanted || node.unevaluated_properties.is_some() => {
            let all = node.object.as_ref().is_some_and(|rules| rules.additional.is_some());
            if !all {
                unevaluated.keys = map.keys().map(String::as_str).collect();
            }
        }
        Json::List(items) if wanted || node.unevaluated_items.is_some() => {
            let all = node.list.as_ref().is_some_and(|rules| rules.rest.is_some());
            if !all {
                let first = node.list.as_ref().map_or(0, |rules| rules.first.len());
                unevaluated.items = (first..items.len()).collect();
            }
        }
        _ => {}
    }
    unevaluated
}

fn is_of(value: &Json, kind: Kind) -> bool {
    match (value, kind) {
        (Json::Number(number), Kind::Integer) => number.decimal().is_integer(),
        _ => value.kind() == kind,
    }
}

/// A value as messages show it.
fn shown_value(json: &Json) -> String {
    match json {
        Json::Nil => "<nil>".to_owned(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.text().to_owned(),
        Json::Text(text) => single_quoted(text),
        Json::List(_) | Json::Map(_) => "value".to_owned(),
    }
}

fn choices_message(choices: &[Json]) -> String {
    let plain = choices.iter().all(|choice| !matches!(choice, Json::List(_) | Json::Map(_)));
    match (plain, choices) {
        (false, _) => "'enum' failed".to_owned(),
        (true, [only]) => format!("value must be {}", shown_value(only)),
        (true, several) => {
            format!("value must be one of {}", several.iter().map(shown_value).collect::<Vec<_>>().join(", "))
        }
    }
}
