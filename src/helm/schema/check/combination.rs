//! `not`, `allOf`, `anyOf`, `oneOf` and `if`.

use super::{Checker, Task};
use crate::schema::node::Combination;
use crate::schema::number::grouped;

impl<'c, 'j> Checker<'c, 'j> {
    pub(super) fn combination(&mut self, task: &mut Task<'c, 'j, '_>) {
        let node = task.node;
        let Some(rules) = node.combination.as_deref() else { return };
        if let Some(not) = rules.not
            && self.same(task, not, None, true).is_ok()
        {
            self.add(task, || "'not' failed".to_owned());
        }
        self.all(task, rules);
        self.any(task, rules);
        self.one(task, rules);
        if let Some(condition) = rules.condition {
            let branch =
                if self.same(task, condition, None, true).is_ok() { rules.then } else { rules.otherwise };
            if let Some(branch) = branch {
                let outcome = self.same(task, branch, None, false);
                task.found.extend(outcome.err());
            }
        }
    }

    fn all(&mut self, task: &mut Task<'c, 'j, '_>, rules: &Combination) {
        let mut causes = Vec::new();
        for node in &rules.all {
            causes.extend(self.same(task, *node, None, false).err());
            if task.quiet && !causes.is_empty() {
                break;
            }
        }
        if !causes.is_empty() {
            self.add_with_causes(task, causes, || "'allOf' failed".to_owned());
        }
    }

    fn any(&mut self, task: &mut Task<'c, 'j, '_>, rules: &Combination) {
        let (mut matched, mut causes) = (rules.any.is_empty(), Vec::new());
        for node in &rules.any {
            match self.same(task, *node, None, false) {
                Err(misfit) => causes.push(misfit),
                Ok(()) => {
                    matched = true;
                    // The others may have looked at more of the value.
                    if task.unevaluated.is_empty() {
                        break;
                    }
                }
            }
        }
        if !matched {
            self.add_with_causes(task, causes, || "'anyOf' failed".to_owned());
        }
    }

    fn one(&mut self, task: &mut Task<'c, 'j, '_>, rules: &Combination) {
        let (mut matched, mut causes) = (None, Vec::new());
        for (index, node) in rules.one.iter().enumerate() {
            match (self.same(task, *node, None, matched.is_some()), matched) {
                (Err(misfit), None) => causes.push(misfit),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => matched = Some(index),
                (Ok(()), Some(first)) => {
                    let shown = |index: usize| grouped(i64::try_from(index).unwrap_or(i64::MAX));
                    self.add(task, || {
                        format!("'oneOf' failed, subschemas {}, {} matched", shown(first), shown(index))
                    });
                    return;
                }
            }
        }
        if matched.is_none() && !rules.one.is_empty() {
            self.add_with_causes(task, causes, || "'oneOf' failed, none matched".to_owned());
        }
    }
}
