//! Rules of volumes and of where they are mounted.

use serde_json::Value;

use super::names;
use super::{Findings, has, items, text};

/// The kinds of volumes, in the order in which they are checked, and what each must have.
const KINDS: [(&str, &[&str]); 17] = [
    ("emptyDir", &[]),
    ("hostPath", &["path"]),
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("secret", &["secretName"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("downwardAPI", &[]),
    ("configMap", &["name"]),
    ("azureFile", &["secretName", "shareName"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("projected", &[]),
    ("csi", &["driver"]),
    ("ephemeral", &[]),
    ("image", &["reference"]),
];

/// Checks the volumes of a pod and gives their names.
pub(super) fn check<'a>(spec: &'a Value, field: &str, found: &mut Findings) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for (index, volume) in items(spec, "volumes").iter().enumerate() {
        let field = format!("{field}.volumes[{index}]");
        let name = text(volume, "name");
        let before = found.causes.len();
        check_source(volume, &field, found);
        let sources = found.causes.split_off(before);
        let sound = sources.is_empty();
        if name.is_empty() {
            found.required(format!("{field}.name"), "");
        } else {
            let wrong = names::label(name);
            for why in &wrong {
                found.invalid_text(format!("{field}.name"), name, why);
            }
            if wrong.is_empty() && seen.contains(&name) {
                found.duplicate(format!("{field}.name"), &format!("{name:?}"));
            }
        }
        found.causes.extend(sources);
        // A volume that is wrong in itself is no volume: nothing can be its double, and nothing can mount it.
        if sound && found.causes.len() == before {
            seen.push(name);
        }
    }
    seen
}

fn check_source(volume: &Value, field: &str, found: &mut Findings) {
    let mut count = 0;
    for (kind, needed) in KINDS {
        let Some(source) = volume.get(kind).filter(|source| !source.is_null()) else { continue };
        count += 1;
        if count > 1 {
            found.forbidden(format!("{field}.{kind}"), "may not specify more than 1 volume type");
            continue;
        }
        for key in needed {
            if text(source, key).is_empty() {
                found.required(format!("{field}.{kind}.{key}"), "");
            }
        }
    }
}

/// Checks where volumes are mounted.
pub(super) fn check_mounts(mounts: &[Value], volumes: &[&str], field: &str, found: &mut Findings) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, mount) in mounts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            found.required(format!("{field}.name"), "");
        } else if !volumes.contains(&name) {
            found.add("FieldValueNotFound", format!("{field}.name"), format!("Not found: {name:?}"));
        }
        if path.is_empty() {
            found.required(format!("{field}.mountPath"), "");
        } else if seen.contains(&path) {
            found.invalid_text(format!("{field}.mountPath"), path, "must be unique");
        }
        seen.push(path);
        if has(mount, "subPath") && text(mount, "subPath").split('/').any(|part| part == "..") {
            found.invalid_text(format!("{field}.subPath"), text(mount, "subPath"), "must not contain '..'");
        }
    }
}
