//! A fault of a config repository: where it is, what is wrong, what to write instead, and what it holds back.

use std::fmt;

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
        if self.line == 0 {
            write!(formatter, "{}: {}", self.file, self.message)
        } else {
            write!(formatter, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
        }
    }
}
