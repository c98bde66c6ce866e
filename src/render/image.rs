//! The image of the wanted commit in plain YAML: references to the service's own image repository get its tag
//! or digest, all others stay.

use serde_json::Value;

/// Replaces every `image:` that names the repository.
pub(super) fn set(object: &mut Value, repository: &str, reference: &str) {
    match object {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "image" && repository_of(text) == repository => {
                        reference.clone_into(text);
                    }
                    inner => set(inner, repository, reference),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set(item, repository, reference)),
        _ => {}
    }
}

/// An image reference without tag and digest. A colon before the last slash is a port.
fn repository_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rfind(':') {
        Some(colon) if !image[colon..].contains('/') => &image[..colon],
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_own_repository_gets_the_tag() {
        let mut object = json!({"spec": {"containers": [
            {"image": "registry:5000/shop/web:latest"}, {"image": "registry:5000/shop/web@sha256:aa"},
            {"image": "registry:5000/shop/web"}, {"image": "registry:5000/shop/webber:1"}], "image": 3}});
        set(&mut object, "registry:5000/shop/web", "registry:5000/shop/web:new");
        let images: Vec<_> = object["spec"]["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["image"].as_str().unwrap())
            .collect();
        assert_eq!(
            images,
            [
                "registry:5000/shop/web:new",
                "registry:5000/shop/web:new",
                "registry:5000/shop/web:new",
                "registry:5000/shop/webber:1"
            ]
        );
    }
}
