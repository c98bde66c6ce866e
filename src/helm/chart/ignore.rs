//! `.helmignore`: which files of a chart folder do not belong to the chart.

use crate::functions::glob::file_match;

/// The rules of a chart folder.
pub struct IgnoreRules(Vec<Rule>);

#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a rule")]
struct Rule {
    pattern: Pattern,
    negated: bool,
    directories_only: bool,
    anchored: bool,
    whole_path: bool,
}

/// The two simple forms that most rules have, and all others.
enum Pattern {
    /// A name without anything special.
    Name(String),
    /// `*` and a name without anything special.
    Ending(String),
    Any(String),
}

impl Pattern {
    fn new(pattern: &str) -> Self {
        let special = |text: &str| text.contains(['*', '?', '[', '\\']);
        match pattern.strip_prefix('*') {
            Some(ending) if !special(ending) => Self::Ending(ending.to_owned()),
            None if !special(pattern) => Self::Name(pattern.to_owned()),
            _ => Self::Any(pattern.to_owned()),
        }
    }

    fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Name(name) => name == subject,
            // A star does not match what parts a path.
            Self::Ending(ending) => {
                subject.strip_suffix(ending.as_str()).is_some_and(|rest| !rest.contains('/'))
            }
            Self::Any(pattern) => file_match(pattern.as_bytes(), subject.as_bytes()) == Some(true),
        }
    }
}

impl IgnoreRules {
    /// Reads a `.helmignore`; the error is Helm's message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self(Vec::new());
        for line in text.lines() {
            rules.add(line)?;
        }
        rules.add("templates/.?*")?;
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let mut pattern = line.trim();
        if pattern.is_empty() || pattern.starts_with('#') {
            return Ok(());
        }
        if pattern.contains("**") {
            return Err("double-star (**) syntax is not supported".to_owned());
        }
        if file_match(pattern.as_bytes(), b"abc").is_none() {
            return Err("syntax error in pattern".to_owned());
        }
        let negated = pattern.starts_with('!');
        pattern = pattern.strip_prefix('!').unwrap_or(pattern);
        let directories_only = pattern.ends_with('/');
        pattern = pattern.strip_suffix('/').unwrap_or(pattern);
        let anchored = pattern.starts_with('/');
        let whole_path = !anchored && pattern.contains('/');
        let pattern = Pattern::new(pattern.strip_prefix('/').unwrap_or(pattern));
        self.0.push(Rule { pattern, negated, directories_only, anchored, whole_path });
        Ok(())
    }

    /// Whether a path is left out; the first rule that speaks decides.
    pub fn ignores(&self, path: &str, directory: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        let name = path.rfind('/').map_or(path, |end| path.get(end + 1..).unwrap_or(path));
        for rule in &self.0 {
            let subject = if rule.anchored || rule.whole_path { path } else { name };
            let matched = rule.pattern.matches(subject);
            if rule.negated {
                if rule.directories_only && !directory {
                    return true;
                }
                if !matched {
                    return true;
                }
                continue;
            }
            if rule.directories_only && !directory {
                continue;
            }
            if matched {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::IgnoreRules;

    #[test]
    fn rules_of_helm() {
        let rules = IgnoreRules::parse("# c\n*.md\n/ignored\ndir/\na/b.txt\n").expect("valid");
        assert!(rules.ignores("x/README.md", false));
        assert!(rules.ignores(".md", false));
        assert!(!rules.ignores("README.md.txt", false));
        assert!(rules.ignores("ignored", false));
        assert!(!rules.ignores("x/ignored", false));
        assert!(rules.ignores("x/dir", true));
        assert!(!rules.ignores("dir", false));
        assert!(rules.ignores("a/b.txt", false));
        assert!(!rules.ignores("x/a/b.txt", false));
        assert!(rules.ignores("templates/.hidden", false));
        assert!(IgnoreRules::parse("a/**").is_err());
    }

    #[test]
    fn a_negated_rule_ignores_everything_else() {
        let rules = IgnoreRules::parse("!keep.md\n").expect("valid");
        assert!(rules.ignores("Chart.yaml", false));
        assert!(!rules.ignores("keep.md", false));
    }
}
