//! A fault of a config repository: where it is, what is wrong, what to write instead, and what it holds back.

use std::fmt::{self, Write as _};

use super::name::{EnvironmentName, ServiceName};

/// What a fault holds back; everything else goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultScope {
    /// The whole repository: `moorline.yaml` cannot be used.
    Everything,
    /// One environment.
    Environment(EnvironmentName),
    /// One service, in every environment.
    Service(ServiceName),
    /// One service in one environment.
    Application(EnvironmentName, ServiceName),
    /// Nothing: the file belongs to no application, and `check` alone tells of it.
    Nothing,
}

/// Something wrong in a file of the config repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, relative to the root of the repository.
    pub file: String,
    /// The line, from 1; 0 where the fault has no line (a missing file).
    pub line: usize,
    /// The column, from 1; 0 where there is no line.
    pub column: usize,
    /// What is wrong, without a period.
    pub message: String,
    /// What to write instead, without a period.
    pub hint: Option<String>,
    /// What is held back.
    pub scope: FaultScope,
}

impl Fault {
    /// Whether this fault holds back the service in the environment.
    pub fn holds(&self, environment: &EnvironmentName, service: &ServiceName) -> bool {
        match &self.scope {
            FaultScope::Everything => true,
            FaultScope::Environment(name) => name == environment,
            FaultScope::Service(name) => name == service,
            FaultScope::Application(stage, name) => stage == environment && name == service,
            FaultScope::Nothing => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_on_one_line(formatter, &self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        formatter.write_str(": ")?;
        write_on_one_line(formatter, &self.message)
    }
}

/// Names and values of a repository may hold anything; a fault stays on its line all the same.
fn write_on_one_line(formatter: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|char| {
        if char.is_control() {
            fmt::Display::fmt(&char.escape_default(), formatter)
        } else {
            formatter.write_char(char)
        }
    })
}
