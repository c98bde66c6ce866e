//! Which applications a reader wants to see: from the query of an address, and back into one.

use crate::report::oddities::is_problem;
use crate::report::status::ApplicationStatus;

/// The longest text searched for.
const TEXT_LIMIT: usize = 100;
/// The most environments chosen by one query.
const ENVIRONMENT_LIMIT: usize = 50;

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only these environments; none means all.
    pub(super) environments: Vec<String>,
    /// Only services or namespaces that contain this text. A team is found by its namespaces.
    pub(super) text: String,
    /// Only what is not as it should be.
    pub(super) problems: bool,
}

impl Filter {
    /// Reads a query. Unknown keys and odd values are left aside: an address typed by hand shows a page all the
    /// same.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        let mut filter = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
            match &*key {
                "environment" => filter.add_environment(&value),
                "q" => filter.text = value.trim().chars().take(TEXT_LIMIT).collect(),
                "only" => filter.problems = value == "problems",
                _ => {}
            }
        }
        filter
    }

    fn add_environment(&mut self, name: &str) {
        let is_new = !name.is_empty() && !self.environments.iter().any(|known| known == name);
        if is_new && self.environments.len() < ENVIRONMENT_LIMIT {
            self.environments.push(name.to_owned());
        }
    }

    /// The address of the first page under this filter.
    pub(super) fn address(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for environment in &self.environments {
            query.append_pair("environment", environment);
        }
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if self.problems {
            query.append_pair("only", "problems");
        }
        let query = query.finish();
        if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
    }

    /// The same filter for one environment, or for all.
    pub(super) fn with_environment(&self, environment: Option<&str>) -> Self {
        Self { environments: environment.map(str::to_owned).into_iter().collect(), ..self.clone() }
    }

    /// The same filter, for everything or only for problems.
    pub(super) fn with_problems(&self, problems: bool) -> Self {
        Self { problems, ..self.clone() }
    }

    /// Whether an environment is among the chosen.
    pub(super) fn has_environment(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|name| name == environment)
    }

    /// Whether an application is shown.
    pub(super) fn shows(&self, application: &ApplicationStatus) -> bool {
        let text = self.text.to_lowercase();
        self.has_environment(&application.environment)
            && (application.service.contains(&text) || application.namespace.contains(&text))
            && (!self.problems || is_problem(application))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_come_back_as_they_were() {
        for (query, address) in [
            ("", "/"),
            ("environment=dev&environment=dev&environment=", "/?environment=dev"),
            ("q=+pay%26x+&only=problems", "/?q=pay%26x&only=problems"),
            ("only=nothing&unknown=1&%ff%fe=%00", "/"),
            ("environment=a%22%3E%3Cb", "/?environment=a%22%3E%3Cb"),
        ] {
            let filter = Filter::of_query(Some(query));
            assert_eq!(filter.address(), address, "{query}");
            let again = filter.address();
            assert_eq!(Filter::of_query(again.strip_prefix("/?")), filter, "{query}");
        }
    }

    #[test]
    fn long_queries_are_cut() {
        let query: Vec<String> = (0..200).map(|number| format!("environment=e{number}&")).collect();
        let query = query.concat();
        let filter = Filter::of_query(Some(&format!("{query}q={}", "x".repeat(5000))));
        assert_eq!((filter.environments.len(), filter.text.len()), (50, 100));
    }
}
