//! Names people give: instances, environments, services, teams, namespaces. Each its own type, so that one
//! cannot be passed for another.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a usable name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing was given.
    #[error("a {what} must not be empty")]
    Empty {
        /// What was being named.
        what: &'static str,
    },
    /// Longer than a DNS label.
    #[error("the {what} {name:?} has {length} characters; at most {limit} are allowed")]
    TooLong {
        /// What was being named.
        what: &'static str,
        /// The name, cut.
        name: String,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a DNS label.
    #[error(
        "the {what} {name:?} is not a DNS label: lower-case letters, digits and '-', with a letter or digit at both ends"
    )]
    NotALabel {
        /// What was being named.
        what: &'static str,
        /// The name, cut.
        name: String,
    },
    /// A name with a meaning of its own.
    #[error("the service name {name:?} is reserved")]
    Reserved {
        /// The name.
        name: String,
    },
}

/// Service names that mean something else in a config repository.
pub const RESERVED_SERVICES: [&str; 7] =
    ["environment", "values", "versions", "Chart", "requirements", "global", "bom"];

/// The longest DNS label (RFC 1123), also the longest label value of Kubernetes.
pub const LABEL_LIMIT: usize = 63;

fn check_label(what: &'static str, text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty { what });
    }
    let shown = || text.chars().take(80).collect::<String>();
    if text.len() > LABEL_LIMIT {
        return Err(InvalidName::TooLong { what, name: shown(), length: text.len(), limit: LABEL_LIMIT });
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let inside = bytes.iter().all(|byte| plain(*byte) || *byte == b'-');
    let ends =
        bytes.first().is_some_and(|byte| plain(*byte)) && bytes.last().is_some_and(|byte| plain(*byte));
    if inside && ends { Ok(()) } else { Err(InvalidName::NotALabel { what, name: shown() }) }
}

macro_rules! name_type {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check_label($what, text)?;
                Ok(Self(text.into()))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// The name of one moorline installation, `name:` in `moorline.yaml`; on every object that it owns.
    InstanceName,
    "instance name"
);
name_type!(
    /// A stage: dev, rc, sandbox, prod, …
    EnvironmentName,
    "environment name"
);
name_type!(
    /// What `services/<name>.yaml` describes, or the key of an umbrella's dependency.
    ServiceName,
    "service name"
);
name_type!(
    /// The team that owns a service.
    TeamName,
    "team name"
);
name_type!(
    /// A Kubernetes namespace.
    NamespaceName,
    "namespace"
);

impl ServiceName {
    /// The application that holds an umbrella's own templates.
    pub fn environment() -> Self {
        Self("environment".into())
    }

    /// Whether this is the application of the umbrella's own templates.
    pub fn is_environment(&self) -> bool {
        self.as_str() == "environment"
    }

    /// Parses a name that a person gave to a service: reserved words are refused.
    pub fn parse_given(text: &str) -> Result<Self, InvalidName> {
        if RESERVED_SERVICES.contains(&text) {
            return Err(InvalidName::Reserved { name: text.to_owned() });
        }
        text.parse()
    }
}

/// One service in one environment: the unit of sync, health, record and rollback.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct ApplicationId {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
}

impl ApplicationId {
    /// Puts the two names together.
    pub fn new(environment: EnvironmentName, service: ServiceName) -> Self {
        Self { environment, service }
    }

    /// The value of the label `moorline.dev/application`.
    pub fn label(&self) -> String {
        format!("{}.{}", self.environment, self.service)
    }

    /// Reads the value of the label `moorline.dev/application`.
    pub fn from_label(text: &str) -> Option<Self> {
        let (environment, service) = text.split_once('.')?;
        Some(Self { environment: environment.parse().ok()?, service: service.parse().ok()? })
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.environment, self.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "payments-api", "0", "a1-b2"] {
            assert!(good.parse::<EnvironmentName>().is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "../a", "a b", "é", long.as_str()] {
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_words_are_no_services() {
        for word in RESERVED_SERVICES {
            assert!(ServiceName::parse_given(word).is_err(), "{word}");
        }
        assert!(ServiceName::parse_given("web").is_ok());
    }

    #[test]
    fn an_application_label_is_read_back() {
        let application = ApplicationId::new("dev".parse().unwrap(), "web".parse().unwrap());
        assert_eq!(ApplicationId::from_label(&application.label()), Some(application));
        assert_eq!(ApplicationId::from_label("dev"), None);
        assert_eq!(ApplicationId::from_label("dev.web.x"), None);
    }
}
