//! The images of the wanted commit in plain YAML: references to the service's own image repositories get their tags
//! and digests, all others stay.

use serde_json::Value;

use crate::desired::Image;
use crate::model::image::ImageRepository;

/// Replaces every `image:` that names the repository. Where the registry is the environment's, any registry does: what
/// stands in the file is that of another environment.
pub(super) fn set(object: &mut Value, image: &Image, reference: &str) {
    match object {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "image" && is_meant(text, image) => {
                        reference.clone_into(text);
                    }
                    inner => set(inner, image, reference),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set(item, image, reference)),
        _ => {}
    }
}

fn is_meant(text: &str, image: &Image) -> bool {
    let named = repository_of(text);
    if image.source.repository.contains("{registry}") {
        return named.parse::<ImageRepository>().is_ok_and(|named| named.path() == image.repository.path());
    }
    named == image.source.repository
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
    use crate::desired::ImageSource;
    use serde_json::json;

    fn image(pattern: &str, repository: &str) -> Image {
        let source = ImageSource {
            repository: pattern.to_owned(),
            tag: "{commit}".to_owned(),
            missing_after: jiff::SignedDuration::from_hours(1),
            repository_value: None,
            tag_value: None,
            digest_value: None,
        };
        Image { repository: repository.parse().unwrap(), source }
    }

    fn images(object: &Value) -> Vec<&str> {
        object["spec"]["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["image"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn only_the_own_repository_gets_the_tag() {
        let mut object = json!({"spec": {"containers": [
            {"image": "registry:5000/shop/web:latest"}, {"image": "registry:5000/shop/web@sha256:aa"},
            {"image": "registry:5000/shop/web"}, {"image": "registry:5000/shop/webber:1"},
            {"image": "other:5000/shop/web"}], "image": 3}});
        let image = image("registry:5000/shop/web", "registry:5000/shop/web");
        set(&mut object, &image, "registry:5000/shop/web:new");
        let new = "registry:5000/shop/web:new";
        assert_eq!(images(&object), [new, new, new, "registry:5000/shop/webber:1", "other:5000/shop/web"]);
    }

    #[test]
    fn the_registry_becomes_the_environments() {
        let mut object = json!({"spec": {"containers": [
            {"image": "dev.example.com/shop/web:1"}, {"image": "dev.example.com/web:1"}]}});
        let image = image("{registry}/shop/web", "prod.example.com/shop/web");
        set(&mut object, &image, "prod.example.com/shop/web:2");
        assert_eq!(images(&object), ["prod.example.com/shop/web:2", "dev.example.com/web:1"]);
    }
}
