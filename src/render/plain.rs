//! Plain YAML: flat, or one folder per environment.

use serde_json::Value;

use super::{Draft, RenderError};
use crate::model::name::EnvironmentName;
use crate::model::source::{File, FileTree, RepositoryPath};

/// The largest file of manifests.
const FILE_LIMIT: usize = 5 << 20;
/// The most documents of one application.
const DOCUMENT_LIMIT: usize = 5000;

/// Reads `path`, or `path/custom/<environment>`; both present is a fault that names both.
pub(super) fn read(
    files: &FileTree,
    path: &RepositoryPath,
    environment: &EnvironmentName,
) -> Result<Vec<Draft>, RenderError> {
    let custom = format!("custom/{environment}");
    let is_custom = |file: &str| file.starts_with("custom/");
    let flat: Vec<_> = files.iter().filter(|(file, _)| is_manifest(file) && !is_custom(file)).collect();
    let own: Vec<_> = files.below(&custom).filter(|(file, _)| is_manifest(file)).collect();
    if let (Some((one, _)), Some((other, _))) = (flat.first(), own.first()) {
        return Err(RenderError::Broken {
            message: format!("{path}/{one} and {path}/{custom}/{other} are both there"),
            hint: Some(format!("keep either the flat files or {path}/custom/, not both")),
        });
    }
    if flat.is_empty() && own.is_empty() {
        return Err(RenderError::Broken {
            message: format!("{path} holds no YAML file for {environment}"),
            hint: Some(format!("put manifests into {path}/ or {path}/{custom}/")),
        });
    }
    let (base, files) =
        if own.is_empty() { (path.to_string(), flat) } else { (format!("{path}/{custom}"), own) };
    read_files(&base, &files)
}

/// Reads the `manifests/` of an environment's folder.
pub(super) fn read_environment(
    folder: &FileTree,
    environment: &EnvironmentName,
) -> Result<Vec<Draft>, RenderError> {
    let files: Vec<_> = folder.below("manifests").filter(|(file, _)| is_manifest(file)).collect();
    read_files(&format!("environments/{environment}/manifests"), &files)
}

fn is_manifest(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    !name.starts_with('.') && [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending))
}

fn read_files(base: &str, files: &[(&str, &File)]) -> Result<Vec<Draft>, RenderError> {
    let mut drafts = Vec::new();
    for (file, content) in files {
        let source = format!("{base}/{file}");
        let objects = read_documents(&source, content)?;
        drafts.extend(objects.into_iter().map(|object| Draft { source: source.clone(), object }));
        if drafts.len() > DOCUMENT_LIMIT {
            return Err(RenderError::Broken {
                message: format!("{base} holds more than {DOCUMENT_LIMIT} documents"),
                hint: Some("split the service".to_owned()),
            });
        }
    }
    Ok(drafts)
}

fn read_documents(source: &str, file: &File) -> Result<Vec<Value>, RenderError> {
    let broken = |message: String| RenderError::Broken { message, hint: None };
    let bytes = file.content.bytes().map_err(|why| broken(format!("{source} {why}")))?;
    if bytes.len() > FILE_LIMIT {
        return Err(broken(format!("{source} has {} bytes; the limit is {FILE_LIMIT}", bytes.len())));
    }
    let documents = crate::helm::parse_documents(bytes)
        .map_err(|error| broken(format!("{source}:{}:{}: {}", error.line, error.column, error.message)))?;
    let mut objects = Vec::new();
    for document in documents {
        match document {
            Value::Null => {}
            list if is_list(&list) => {
                let items = list.get("items").and_then(Value::as_array);
                objects.extend(items.into_iter().flatten().cloned());
            }
            object => objects.push(object),
        }
    }
    Ok(objects)
}

/// A `v1/List` stands for its items.
fn is_list(object: &Value) -> bool {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    text("kind") == Some("List") && text("apiVersion") == Some("v1")
}
