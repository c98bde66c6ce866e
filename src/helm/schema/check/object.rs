//! The keywords of maps.

use std::collections::BTreeMap;

use super::{Checker, Task, Token};
use crate::schema::draft::Draft;
use crate::schema::json::Json;
use crate::schema::misfit::{Message, Misfit, listed, single_quoted};
use crate::schema::node::{Additional, Dependency, ObjectRules};

type Pairs = BTreeMap<String, Json>;

impl<'c, 'j> Checker<'c, 'j> {
    pub(super) fn object(&mut self, task: &mut Task<'c, 'j, '_>, map: &'j Pairs) {
        let node = task.node;
        let Some(rules) = node.object.as_deref() else { return };
        self.counts(task, ("minProperties", rules.least), ("maxProperties", rules.most), map.len());
        let missing = missing(map, &rules.required);
        match missing.as_slice() {
            [] => {}
            [name] => self.add(task, || format!("missing property {}", single_quoted(name))),
            names => self.add(task, || format!("missing properties {}", listed(names.iter().copied()))),
        }
        if task.quiet && !task.found.is_empty() {
            return;
        }
        for (name, dependency) in rules.dependencies.iter().filter(|(name, _)| map.contains_key(*name)) {
            match dependency {
                Dependency::Names(needed) => self.needed(task, map, name, needed),
                Dependency::Schema(node) => {
                    let outcome = self.same(task, *node, None, false);
                    task.found.extend(outcome.err());
                }
            }
        }
        if !self.properties(task, rules, map) || node.draft == Draft::Draft4 {
            return;
        }
        self.names(task, rules, map);
        if node.draft == Draft::Draft6 {
            return;
        }
        for (_, node) in rules.dependent_schemas.iter().filter(|(name, _)| map.contains_key(*name)) {
            let outcome = self.same(task, *node, None, false);
            task.found.extend(outcome.err());
        }
        for (name, needed) in rules.dependent_required.iter().filter(|(name, _)| map.contains_key(*name)) {
            self.needed(task, map, name, needed);
        }
    }

    fn needed(&mut self, task: &mut Task<'c, 'j, '_>, map: &Pairs, name: &str, needed: &[String]) {
        let missing = missing(map, needed);
        if !missing.is_empty() {
            self.add(task, || {
                format!("properties {} required, if {} exists", listed(missing), single_quoted(name))
            });
        }
    }

    /// Whether there is more to be asked.
    fn properties(&mut self, task: &mut Task<'c, 'j, '_>, rules: &ObjectRules, map: &'j Pairs) -> bool {
        if rules.properties.is_empty() && rules.patterns.is_empty() && rules.additional.is_none() {
            return true;
        }
        let mut additional = Vec::new();
        for (key, value) in map {
            if task.quiet && !task.found.is_empty() {
                return false;
            }
            let mut known = false;
            if let Some(node) = rules.properties.get(key) {
                known = true;
                let outcome = self.inside(task, *node, value, Token::Key(key));
                task.found.extend(outcome.err());
            }
            for (_, node) in rules.patterns.iter().filter(|(pattern, _)| pattern.is_match(key.as_bytes())) {
                known = true;
                let outcome = self.inside(task, *node, value, Token::Key(key));
                task.found.extend(outcome.err());
            }
            if !known && let Some(rule) = rules.additional {
                known = true;
                match rule {
                    Additional::Flag(true) => {}
                    Additional::Flag(false) => additional.push(key.as_str()),
                    Additional::Schema(node) => {
                        let outcome = self.inside(task, node, value, Token::Key(key));
                        task.found.extend(outcome.err());
                    }
                }
            }
            if known {
                task.unevaluated.keys.remove(key.as_str());
            }
        }
        if !additional.is_empty() {
            self.add(task, || format!("additional properties {} not allowed", listed(additional)));
        }
        true
    }

    /// Each key is a value of its own, without a way to it.
    fn names(&mut self, task: &mut Task<'c, 'j, '_>, rules: &ObjectRules, map: &Pairs) {
        let Some(node) = rules.names else { return };
        for key in map.keys() {
            let name = Json::Text(key.clone());
            let deepest = self.deepest.saturating_sub(task.scope.depth);
            let mut checker = Checker::new(self.nodes, self.old, None, deepest);
            checker.steps = self.steps;
            let outcome = checker.top(node, &name);
            self.steps = checker.steps;
            self.too_deep |= outcome.is_none();
            if let Some(Err(causes)) = outcome {
                let message = format!("invalid propertyName {}", single_quoted(key));
                let (at, message) = if self.old {
                    (String::new(), Message::Text(message))
                } else {
                    (self.pointer(), Message::Key(message, self.path.len()))
                };
                task.found.push(Misfit { at, message, causes });
            }
        }
    }
}

fn missing<'n>(map: &Pairs, needed: &'n [String]) -> Vec<&'n str> {
    needed.iter().map(String::as_str).filter(|name| !map.contains_key(*name)).collect()
}
