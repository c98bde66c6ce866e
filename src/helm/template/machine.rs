//! What one render is made of: named templates, counters, and what functions may use. It does
//! no IO: entropy, time and answers to lookups were given to it.

use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use super::exec::Variable;
use super::memo::{Holder, Memo, Recall};
use super::{Template, parser};
use crate::Compat;
use crate::capabilities::CapabilitiesSeen;
use crate::chance::Draws;
use crate::failure::{Failure, Limit};
use crate::functions;
use crate::limits::{RenderLimits, TimeLimit};
use crate::lookup::{Lookup, Lookups};
use crate::strict::Reads;
use crate::value::{Map, Text, Value};

type Run<T> = Result<T, Failure>;

/// How often a name may be included within itself, as in Helm.
pub(super) const RECURSION: usize = 1000;

/// The time is looked at every 2^12 steps.
const TIMED_STEPS: u32 = 12;

/// Named templates; a `tpl` text with definitions adds a layer.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) parent: Option<Rc<Scope>>,
    pub(crate) names: HashMap<Text, Arc<Template>>,
}

impl Scope {
    /// The template of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Arc<Template>> {
        self.names.get(name).or_else(|| self.parent.as_ref().and_then(|parent| parent.find(name)))
    }

    /// Adds a template: the last one counts, but an empty one never replaces another.
    pub(crate) fn add(&mut self, template: &Arc<Template>) {
        if template.is_empty() && self.find(&template.name).is_some() {
            return;
        }
        self.names.insert(template.name.clone(), Arc::clone(template));
    }
}

/// Empty lists that calls left for the next ones: most renders make thousands of them.
#[derive(Default)]
pub(crate) struct Spare {
    pub(super) arguments: Vec<Vec<Value>>,
    pub(super) variables: Vec<Vec<Variable>>,
    outputs: Vec<Vec<u8>>,
}

/// A larger output is not worth keeping.
const LARGEST_SPARE: usize = 64 << 10;

/// One render: named templates, counters, and what functions may use.
pub(crate) struct Machine<'r> {
    pub(crate) compat: Compat,
    pub(crate) scope: Rc<Scope>,
    pub(crate) limits: RenderLimits,
    /// How long the render may take, and at which beat it ends.
    pub(crate) time: Option<(&'r TimeLimit, u64)>,
    pub(crate) lookups: &'r Lookups,
    pub(crate) lookups_missing: Vec<Lookup>,
    /// What is drawn on entropy and time.
    pub(crate) draws: Draws,
    /// What was asked of `.Capabilities`.
    pub(crate) seen: CapabilitiesSeen,
    /// What was read of the values, if that is asked for.
    pub(crate) reads: Option<Box<Reads>>,
    /// False once a function drew on time, entropy or a lookup.
    pub(crate) deterministic: bool,
    pub(crate) includes: HashMap<Text, usize>,
    pub(crate) tpl_cache: HashMap<Text, Rc<super::Parsed>>,
    /// The names that its templates use.
    pub(crate) words: super::Words,
    /// The name of the variable that every template begins with.
    pub(crate) dollar: Text,
    pub(crate) spare: Spare,
    pub(crate) memo: Memo,
    pub(crate) knots: Knots,
    pub(crate) regexes: functions::RegexCache,
    pub(crate) steps: u64,
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
    /// The deepest level since it was last set.
    pub(crate) deepest: usize,
    pub(crate) depth_limit: usize,
}

/// Maps that lead back to themselves. Nothing else would free them: they are emptied when the render is over.
#[derive(Debug, Default)]
pub(crate) struct Knots(Vec<Map>);

impl Knots {
    pub(crate) fn note(&mut self, map: &Map) {
        if !self.0.iter().rev().take(16).any(|known| known.same(map)) {
            self.0.push(map.clone());
        }
    }
}

impl Drop for Knots {
    fn drop(&mut self) {
        self.0.iter().for_each(Map::clear);
    }
}

impl Machine<'_> {
    /// Whether the render speaks as Helm 3.
    pub(crate) fn v3(&self) -> bool {
        self.compat == Compat::V3_19
    }

    /// Counts work against the limit of steps, and now and then looks at the time.
    pub(crate) fn charge(&mut self, steps: u64) -> Run<()> {
        let before = self.steps;
        self.steps = self.steps.saturating_add(steps);
        if before >> TIMED_STEPS != self.steps >> TIMED_STEPS
            && let Some((limit, end)) = self.time
            && limit.pulse.beats() > end
        {
            return Err(Failure::limit(Limit::Time, format!("render takes more than {}", limit.words)));
        }
        if self.steps > self.limits.steps {
            return Err(Failure::limit(
                Limit::Steps,
                format!("render takes more than {} steps", self.limits.steps),
            ));
        }
        Ok(())
    }

    /// Counts bytes that a function or template made.
    pub(crate) fn charge_bytes(&mut self, bytes: usize) -> Run<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes {
            return Err(Failure::limit(
                Limit::Bytes,
                format!("render makes more than {} bytes", self.limits.bytes),
            ));
        }
        Ok(())
    }

    /// Enters one level of nesting.
    pub(crate) fn enter(&mut self) -> Run<()> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        if self.depth > self.depth_limit {
            return Err(Failure::limit(
                Limit::Depth,
                format!("templates nest deeper than {} levels", self.depth_limit),
            ));
        }
        Ok(())
    }

    /// Runs a named template into a string, unless what it makes is known.
    pub(crate) fn include(&mut self, name: &Text, data: Value) -> Run<Text> {
        let Some(template) = self.scope.find(name).cloned() else {
            let quoted = crate::value::convert::quote(name);
            return Err(Failure::new(format!(
                "template: no template {quoted} associated with template \"gotpl\""
            )));
        };
        let asked = match self.recall(&template, &data, Holder::Arguments)? {
            Recall::Known(text) => return Ok(text),
            Recall::Unknown(asked) => asked,
        };
        self.enter_name(name)?;
        let mut out = self.spare.outputs.pop().unwrap_or_default();
        self.execute(&template, data, &mut out)?;
        let text = Text::from(out.as_slice());
        if out.capacity() <= LARGEST_SPARE {
            out.clear();
            self.spare.outputs.push(out);
        }
        if let Some(count) = self.includes.get_mut(name) {
            *count -= 1;
        }
        if let Some(asked) = asked {
            self.keep(asked, &text);
        }
        Ok(text)
    }

    /// Counts how often a name is included within itself.
    fn enter_name(&mut self, name: &Text) -> Run<()> {
        match self.includes.get_mut(name) {
            Some(count) if *count > RECURSION => Err(Failure::new(format!(
                "rendering template has a nested reference name: {}: unable to execute template",
                name.lossy()
            ))),
            Some(count) => {
                *count += 1;
                Ok(())
            }
            None => {
                self.includes.insert(name.clone(), 1);
                Ok(())
            }
        }
    }

    /// Parses the text of `tpl`, once per text.
    pub(crate) fn parse_tpl(&mut self, text: &Text) -> Run<Rc<super::Parsed>> {
        if let Some(parsed) = self.tpl_cache.get(text) {
            return Ok(Rc::clone(parsed));
        }
        let name = Text::from("gotpl");
        let parsed = parser::parse(&name, text, self.compat, &mut self.words)
            .map(Rc::new)
            .map_err(|error| Failure::new(error.go(&name, &name)))?;
        self.charge_bytes(parsed.bytes())?;
        self.tpl_cache.insert(text.clone(), Rc::clone(&parsed));
        Ok(parsed)
    }
}
