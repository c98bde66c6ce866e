//! What is wanted of an application and what is deployed, in few letters. What one version is called is
//! [`Version::label`].

use super::status::ApplicationStatus;
use crate::model::facts::Version;

/// What an application lacks.
const NONE: &str = "-";

/// What is to come: what is wanted, where that is another set than what is deployed. Another revision that renders to
/// the same set is nothing to come. Where both are called the same, the config repository makes the difference.
pub fn coming(application: &ApplicationStatus) -> Option<String> {
    let deployed = application.deployed.as_ref();
    let digest = deployed.map(|version| version.digest);
    let coming = application.wanted.as_ref().filter(|wanted| Some(wanted.digest) != digest)?;
    let is_called_the_same = deployed.is_some_and(|version| version.label() == coming.label());
    Some(if is_called_the_same { coming.config_label() } else { coming.label() })
}

/// What is wanted, in the cell of a table.
pub fn wanted(application: &ApplicationStatus) -> String {
    if application.never_promoted {
        return "never promoted".to_owned();
    }
    coming(application).unwrap_or_else(|| cell(application.wanted.as_ref()))
}

/// A version in the cell of a table.
pub fn cell(version: Option<&Version>) -> String {
    version.map_or_else(|| NONE.to_owned(), Version::label)
}
