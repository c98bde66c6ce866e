//! The sample repositories: a code repository with a chart, a config repository with two environments and three
//! services, an empty state repository. The files are those of `examples/shop`.

use std::path::{Path, PathBuf};

use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature};

/// What the sample files call the code repository, its commit and its registry.
const PLACEHOLDERS: [&str; 3] =
    ["/srv/git/shop", "1111111111111111111111111111111111111111", "example.com/shop"];

/// Includes files of the example by their paths.
macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../examples/shop/", $folder, "/", $path)))),+]
    };
}

const CODE: &[(&str, &str)] =
    files!("code": "deploy/chart/Chart.yaml", "deploy/chart/values.yaml", "deploy/chart/templates/shop.yaml");

const CONFIG: &[(&str, &str)] = files!("config":
    "moorline.yaml",
    "base/shop.yaml",
    "services/shop.yaml",
    "services/greeter.yaml",
    "services/cache.yaml",
    "k8s/greeter/greeter.yaml",
    "environments/dev/Chart.yaml",
    "environments/dev/charts/cache/Chart.yaml",
    "environments/dev/charts/cache/values.yaml",
    "environments/dev/charts/cache/templates/cache.yaml",
    "environments/dev/greeter.yaml",
    "environments/dev/shop.yaml",
    "environments/prod/Chart.yaml",
    "environments/prod/charts/cache/Chart.yaml",
    "environments/prod/charts/cache/values.yaml",
    "environments/prod/charts/cache/templates/cache.yaml",
    "environments/prod/greeter.yaml",
    "environments/prod/shop.yaml",
    "environments/prod/versions.yaml",
);

/// Why the sample repositories cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateShopError {
    /// A file or folder cannot be written.
    #[error("failed to write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Git refuses.
    #[error("failed to make the repository {path}")]
    Git {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: git2::Error,
    },
}

/// The sample repositories in their folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// The folder that holds everything of the demo.
    pub folder: PathBuf,
    /// Host and port of the image registry.
    pub registry: String,
    /// The first commit of the code.
    pub first: String,
}

impl Shop {
    /// Makes the repositories in a folder that is empty or not there.
    pub fn create(folder: &Path, registry: &str) -> Result<Self, CreateShopError> {
        let mut shop =
            Self { folder: folder.to_owned(), registry: registry.to_owned(), first: String::new() };
        let code = shop.code();
        shop.first = create(&code, CODE, str::to_owned)?;
        let values = [code.display().to_string(), shop.first.clone(), format!("{registry}/shop")];
        create(&shop.config(), CONFIG, |text| {
            PLACEHOLDERS
                .iter()
                .zip(&values)
                .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        })?;
        let state = shop.state();
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head("main").external_template(false);
        Repository::init_opts(&state, &options)
            .map_err(|source| CreateShopError::Git { path: state, source })?;
        Ok(shop)
    }

    /// The code repository.
    pub fn code(&self) -> PathBuf {
        self.folder.join("code")
    }

    /// The config repository.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config")
    }

    /// The state repository.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state.git")
    }

    /// The kubeconfig of the sandbox.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The daemon's cache.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// Makes a repository with a work tree and one commit; gives the commit.
fn create(
    folder: &Path,
    files: &[(&str, &str)],
    fill: impl Fn(&str) -> String,
) -> Result<String, CreateShopError> {
    for (path, text) in files {
        let path = folder.join(path);
        let failed = |source| CreateShopError::Write { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::write(&path, fill(text)).map_err(failed)?;
    }
    commit_all(folder).map_err(|source| CreateShopError::Git { path: folder.to_owned(), source })
}

fn commit_all(folder: &Path) -> Result<String, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.initial_head("main").external_template(false);
    let repository = Repository::init_opts(folder, &options)?;
    // Whoever commits here later needs no settings of their own, and none of theirs gets in the way.
    let mut settings = repository.config()?;
    settings.set_str("user.name", "demo")?;
    settings.set_str("user.email", "demo@example.com")?;
    settings.set_bool("commit.gpgsign", false)?;
    settings.set_str("core.hooksPath", "/dev/null")?;
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("demo", "demo@example.com")?;
    Ok(repository.commit(Some("HEAD"), &author, &author, "the shop", &tree, &[])?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::ConfigRepository;
    use crate::model::source::FileTree;

    #[test]
    fn the_sample_files_are_a_sound_config_repository() {
        let repository = ConfigRepository::read(&FileTree::from_contents(CONFIG.iter().copied()));
        assert!(repository.faults.is_empty(), "{:?}", repository.faults);
        assert_eq!(repository.environments.len(), 2);
    }

    #[test]
    fn no_sample_file_is_left_out() {
        fn below(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { below(&path) } else { 1 }).sum()
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
        assert_eq!(below(&root), CODE.len() + CONFIG.len());
    }

    #[test]
    fn the_pin_is_the_first_commit_of_the_code() {
        let folder = tempfile::tempdir().unwrap();
        let shop = Shop::create(folder.path(), "127.0.0.1:5000").unwrap();
        let head = Repository::open(shop.code()).unwrap().head().unwrap().target().unwrap().to_string();
        let pins = std::fs::read_to_string(shop.config().join("environments/prod/versions.yaml")).unwrap();
        assert!(pins.contains(&head), "{pins}");
        let service = std::fs::read_to_string(shop.config().join("services/shop.yaml")).unwrap();
        assert!(service.contains(&shop.code().display().to_string()));
        assert!(Repository::open(shop.state()).unwrap().is_bare());
    }
}
