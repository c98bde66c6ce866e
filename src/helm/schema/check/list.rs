//! The keywords of lists.

use super::{Checker, Task, Token};
use crate::schema::draft::Draft;
use crate::schema::json::Json;
use crate::schema::node::{Additional, ListRules};
use crate::schema::number::grouped;

/// Lists longer than this are sorted before twins are sought.
const COMPARED: usize = 20;

impl<'c, 'j> Checker<'c, 'j> {
    pub(super) fn list(&mut self, task: &mut Task<'c, 'j, '_>, items: &'j [Json]) {
        let node = task.node;
        let Some(rules) = node.list.as_deref() else { return };
        self.counts(task, ("minItems", rules.least), ("maxItems", rules.most), items.len());
        if rules.unique
            && let Some((first, second)) = twins(items)
        {
            let shown = |index: usize| grouped(i64::try_from(index).unwrap_or(i64::MAX));
            self.add(task, || format!("items at {} and {} are equal", shown(first), shown(second)));
        }
        for (index, (node, item)) in rules.first.iter().zip(items).enumerate() {
            let outcome = self.inside(task, *node, item, Token::Index(index));
            task.found.extend(outcome.err());
        }
        self.rest(task, rules, items);
        self.contains(task, rules, items);
    }

    /// What is behind the items with schemas of their own.
    fn rest(&mut self, task: &mut Task<'c, 'j, '_>, rules: &ListRules, items: &'j [Json]) {
        let first = rules.first.len().min(items.len());
        match rules.rest {
            Some(Additional::Flag(false)) if first < items.len() => {
                let count = i64::try_from(items.len() - first).unwrap_or(i64::MAX);
                self.add(task, || format!("last {} additionalItem(s) not allowed", grouped(count)));
            }
            Some(Additional::Schema(node)) => {
                for (index, item) in items.iter().enumerate().skip(first) {
                    // The older library counted from the first of them.
                    let shown = if self.old { index - first } else { index };
                    let outcome = self.inside(task, node, item, Token::Index(shown));
                    task.found.extend(outcome.err());
                }
            }
            _ => {}
        }
    }

    fn contains(&mut self, task: &mut Task<'c, 'j, '_>, rules: &ListRules, items: &'j [Json]) {
        let Some(node) = rules.contains else { return };
        let (mut causes, mut matched) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match self.inside(task, node, item, Token::Index(index)) {
                Err(misfit) => causes.push(misfit),
                Ok(()) => {
                    matched.push(index);
                    if task.node.draft >= Draft::Draft2020 {
                        task.unevaluated.items.remove(&index);
                    }
                }
            }
        }
        let count = i64::try_from(matched.len()).unwrap_or(i64::MAX);
        let found = || {
            let places: Vec<String> = matched.iter().map(usize::to_string).collect();
            format!("matched {} items at {}", grouped(count), places.join(" "))
        };
        match rules.least_contained {
            Some(wanted) if count < wanted => self.add_with_causes(task, causes, || {
                let found = if matched.is_empty() { "none matched".to_owned() } else { found() };
                format!("min {} items required to match contains schema, but {found}", grouped(wanted))
            }),
            None if matched.is_empty() => {
                self.add_with_causes(task, causes, || "no items match contains schema".to_owned());
            }
            _ => {}
        }
        if let Some(wanted) = rules.most_contained.filter(|wanted| count > *wanted) {
            self.add(task, || {
                format!("max {} items required to match contains schema, but {}", grouped(wanted), found())
            });
        }
    }
}

/// The first two equal items.
fn twins(items: &[Json]) -> Option<(usize, usize)> {
    if items.len() <= COMPARED {
        return items.iter().enumerate().find_map(|(second, item)| {
            items.iter().take(second).position(|other| item.equals(other)).map(|first| (first, second))
        });
    }
    // Equal items have equal outlines; only those are compared.
    let mut by_outline: std::collections::HashMap<String, Vec<usize>> = std::collections::HashMap::new();
    for (second, item) in items.iter().enumerate() {
        let alike = by_outline.entry(outline(item)).or_default();
        let twin = alike.iter().find(|first| items.get(**first).is_some_and(|other| item.equals(other)));
        if let Some(first) = twin {
            return Some((*first, second));
        }
        alike.push(second);
    }
    None
}

fn outline(item: &Json) -> String {
    match item {
        Json::Text(text) => text.clone(),
        Json::Number(number) => format!("{:?}", number.decimal()),
        Json::List(items) => items.iter().take(COMPARED).map(outline).collect(),
        Json::Map(map) => {
            map.iter().take(COMPARED).map(|(key, value)| format!("{key}:{}", outline(value))).collect()
        }
        Json::Nil => "null".to_owned(),
        Json::Bool(flag) => flag.to_string(),
    }
}
