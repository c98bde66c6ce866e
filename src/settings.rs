//! The daemon's own settings: flags over `MOORLINE_*` variables over a settings file. Secrets stand in files that
//! the settings name, never in them.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::adapters::credentials::CredentialEntry;
use crate::adapters::registry::{RegistryEntry, RegistrySettings};
use crate::model::name::{EnvironmentName, NamespaceName};
use crate::model::source::RepositoryUrl;

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of all commands")]
pub struct CommonArguments {
    /// Config repository: a URL, or the path of a Git repository (what is committed counts)
    #[arg(long, global = true, env = "MOORLINE_CONFIG", value_name = "URL|PATH")]
    pub config: Option<String>,
    /// Branch of the config repository [default: the remote's HEAD]
    #[arg(long, global = true, env = "MOORLINE_CONFIG_BRANCH", value_name = "BRANCH")]
    pub config_branch: Option<String>,
    /// State repository; without it no records are kept
    #[arg(long, global = true, env = "MOORLINE_STATE", value_name = "URL|PATH")]
    pub state: Option<String>,
    /// Branch of the state repository [default: main]
    #[arg(long, global = true, env = "MOORLINE_STATE_BRANCH", value_name = "BRANCH")]
    pub state_branch: Option<String>,
    /// Kubeconfig [default: $KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, global = true, env = "MOORLINE_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig context of environments that name no cluster
    #[arg(long, global = true, env = "MOORLINE_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// moorline's own namespace in every cluster [default: moorline]
    #[arg(long, global = true, env = "MOORLINE_NAMESPACE", value_name = "NAME")]
    pub own_namespace: Option<String>,
    /// Cache of repositories, deletable at any time [default: ~/.cache/moorline]
    #[arg(long, global = true, env = "MOORLINE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Settings file (YAML) with the same names, `credentials` and `registries`
    #[arg(long, global = true, env = "MOORLINE_SETTINGS", value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// A settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SettingsFile {
    config: Option<String>,
    config_branch: Option<String>,
    state: Option<String>,
    state_branch: Option<String>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    namespace: Option<String>,
    data_dir: Option<PathBuf>,
    credentials: Vec<CredentialEntry>,
    registries: Vec<RegistryEntry>,
}

/// The settings of a command, merged and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The config repository, if one was named.
    pub config: Option<RepositoryUrl>,
    /// Its branch.
    pub config_branch: Option<String>,
    /// The state repository.
    pub state: Option<RepositoryUrl>,
    /// Its branch.
    pub state_branch: String,
    /// The kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// The default context.
    pub context: Option<String>,
    /// moorline's own namespace.
    pub own_namespace: NamespaceName,
    /// The cache.
    pub data_directory: PathBuf,
    /// Credentials for repositories.
    pub credentials: Vec<CredentialEntry>,
    /// How some image registries are reached.
    pub registries: Vec<RegistryEntry>,
}

impl Settings {
    /// What the adapter of image registries needs to know.
    pub fn image_registries(&self) -> RegistrySettings {
        RegistrySettings {
            registries: self.registries.clone(),
            credentials: self.credentials.clone(),
            docker_config: docker_config(),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file cannot be read.
    #[error("failed to read the settings file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings file is wrong.
    #[error("failed to understand the settings file {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_yaml::Error,
    },
    /// A value is wrong.
    #[error("--{flag}: {message}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl CommonArguments {
    /// Merges flags, variables (clap has read them already) and the settings file.
    pub fn resolve(&self) -> Result<Settings, SettingsError> {
        let file = match &self.settings {
            Some(path) => read_file(path)?,
            None => SettingsFile::default(),
        };
        let pick = |flag: &Option<String>, other: Option<String>| {
            flag.clone().or(other).filter(|text| !text.is_empty())
        };
        let namespace = pick(&self.own_namespace, file.namespace).unwrap_or_else(|| "moorline".to_owned());
        let own_namespace = namespace
            .parse()
            .map_err(|error| SettingsError::Value { flag: "own-namespace", message: format!("{error}") })?;
        Ok(Settings {
            config: repository("config", pick(&self.config, file.config))?,
            config_branch: pick(&self.config_branch, file.config_branch),
            state: repository("state", pick(&self.state, file.state))?,
            state_branch: pick(&self.state_branch, file.state_branch).unwrap_or_else(|| "main".to_owned()),
            kubeconfig: self.kubeconfig.clone().or(file.kubeconfig),
            context: pick(&self.context, file.context),
            own_namespace,
            data_directory: self.data_dir.clone().or(file.data_dir).unwrap_or_else(default_data_directory),
            credentials: file.credentials,
            registries: file.registries,
        })
    }
}

fn read_file(path: &Path) -> Result<SettingsFile, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
    if text.trim().is_empty() {
        return Ok(SettingsFile::default());
    }
    serde_yaml::from_str(&text).map_err(|source| SettingsError::Parse { path: path.to_owned(), source })
}

/// A URL, or a path made absolute so that the inventory can name it from anywhere.
fn repository(flag: &'static str, text: Option<String>) -> Result<Option<RepositoryUrl>, SettingsError> {
    let Some(text) = text else { return Ok(None) };
    let value = |message: String| SettingsError::Value { flag, message };
    let url: RepositoryUrl = text.parse().map_err(|error| value(format!("{error}")))?;
    if !url.is_local() || text.starts_with("file://") {
        return Ok(Some(url));
    }
    let absolute = std::path::absolute(&text).map_err(|error| value(format!("{text}: {error}")))?;
    let absolute = absolute.to_str().ok_or_else(|| value(format!("{text} is not UTF-8")))?;
    absolute.parse().map(Some).map_err(|error| value(format!("{error}")))
}

fn default_data_directory() -> PathBuf {
    variable("XDG_CACHE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("moorline")
        .join("data")
}

/// Where docker itself looks for the file.
fn docker_config() -> Option<PathBuf> {
    let folder = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")))?;
    Some(folder.join("config.json"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The environments named by `--environment`.
pub fn environments(names: &[String]) -> Result<Vec<EnvironmentName>, SettingsError> {
    let parse = |name: &String| {
        name.parse()
            .map_err(|error| SettingsError::Value { flag: "environment", message: format!("{error}") })
    };
    names.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Settings, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let arguments =
            CommonArguments { settings: Some(file.path().to_owned()), ..CommonArguments::default() };
        arguments.resolve().map_err(|error| crate::model::error::chain(&error))
    }

    #[test]
    fn registries_are_read_strictly() {
        let text = "registries:\n- prefix: 111122223333.dkr.ecr.us-east-2.amazonaws.com\n  roleArn: arn:aws:iam::111122223333:role/images\n  region: us-east-1\n- prefix: http://registry.internal:5000\n";
        let settings = resolved(text).unwrap();
        assert_eq!(settings.registries.len(), 2);
        assert_eq!(settings.registries[0].region.as_deref(), Some("us-east-1"));
        assert_eq!(settings.image_registries().registries, settings.registries);
        let wrong = resolved("registries:\n- {prefix: a, role: b}\n").unwrap_err();
        assert!(wrong.contains("unknown field `role`") && wrong.contains("line 2"), "{wrong}");
    }
}
