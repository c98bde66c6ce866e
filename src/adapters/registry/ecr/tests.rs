//! The API of AWS over real connections: batches, absence told from refusal, and every way in which it says no.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::super::tests::{Asked, Server, answer, names, tags};
use super::super::{Registries, RegistryEntry, RegistrySettings};
use super::*;
use crate::adapters::registry::ImageRegistries;
use crate::model::error::Classified;

const HOST: &str = "111122223333.dkr.ecr.us-east-2.amazonaws.com";

fn repository() -> ImageRepository {
    format!("{HOST}/team/web").parse().unwrap()
}

fn digest() -> ImageDigest {
    ImageDigest::of(b"index")
}

/// Asks this server instead of AWS.
fn registries(place: &str) -> ImageRegistries {
    let entry = RegistryEntry {
        prefix: HOST.to_owned(),
        endpoint: Some(format!("http://{place}")),
        ..RegistryEntry::default()
    };
    let settings = RegistrySettings { registries: vec![entry], ..RegistrySettings::default() };
    let mut registries = ImageRegistries::with_deadline(settings, Duration::from_secs(3)).unwrap();
    registries.ecr = registries.ecr.with_credentials("AKIATEST", "canary");
    registries
}

fn said(status: u16, body: &Value) -> Response<Body> {
    answer(status, &[("content-type", "application/x-amz-json-1.1")], body.to_string())
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    said(status, &json!({"__type": code, "message": message}))
}

/// Has the tags that begin with `v` and the digest.
fn shop(asked: &Asked) -> Response<Body> {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let ids = body["imageIds"].as_array().unwrap();
    let there = |id: &&Value| {
        id["imageTag"].as_str().is_some_and(|tag| tag.starts_with('v'))
            || id["imageDigest"] == digest().to_string()
    };
    let image =
        |id: &Value| json!({"imageId": {"imageTag": id["imageTag"], "imageDigest": digest().to_string()}});
    let failure = |id: &Value| json!({"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"});
    let images: Vec<Value> = ids.iter().filter(there).map(image).collect();
    let failures: Vec<Value> = ids.iter().filter(|id| !there(id)).map(failure).collect();
    said(200, &json!({"images": images, "failures": failures}))
}

#[tokio::test]
async fn a_hundred_tags_are_one_question() {
    let server = Server::start(shop).await;
    let registries = registries(&server.place);
    let list: Vec<String> =
        (0..250).map(|number| format!("{}{number}", if number % 10 == 0 { "v" } else { "x" })).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let found = registries.find(&repository(), &tags(&list)).await.unwrap();
    assert_eq!(found.images.len(), 25);
    assert!(names(&found).iter().all(|tag| tag.starts_with('v')));
    assert!(found.images.values().all(|found| *found == digest()) && !found.repository_missing);
    let asked = server.asked();
    let mut sizes = Vec::new();
    for asked in &asked {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(
            (&body["registryId"], &body["repositoryName"]),
            (&json!("111122223333"), &json!("team/web"))
        );
        assert_eq!(body["acceptedMediaTypes"], json!(MANIFESTS));
        sizes.push(body["imageIds"].as_array().unwrap().len());
        let signed = asked.authorization.as_deref().unwrap();
        assert!(signed.contains("AKIATEST/") && signed.contains("/us-east-2/ecr/aws4_request"), "{signed}");
        let agent = asked.agent.as_deref().unwrap();
        assert!(agent.contains("moorline"), "{agent}");
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
    assert_eq!(registries.has(&repository(), &digest()).await, Ok(true));
    assert_eq!(registries.has(&repository(), &ImageDigest::of(b"other")).await, Ok(false));
}

#[tokio::test]
async fn a_repository_that_does_not_exist_is_no_error() {
    let text = "The repository with name 'team/web' does not exist in the registry with id '111122223333'";
    let server = Server::start(move |_| refusal(400, "RepositoryNotFoundException", text)).await;
    let registries = registries(&server.place);
    let found = registries.find(&repository(), &tags(&["v1"])).await.unwrap();
    assert_eq!(found, Found { images: BTreeMap::new(), repository_missing: true });
    assert_eq!(registries.has(&repository(), &digest()).await, Ok(false));
}

#[tokio::test]
async fn refusals_are_told_apart_and_never_tell_a_secret() {
    let signature = "The request signature we calculated does not match.\nThe Canonical String should have been\nx-amz-security-token:canary";
    let not_here = "User: arn:aws:iam::444455556666:user/ci is not authorized to perform: ecr:BatchGetImage";
    for (status, code, message, class, words) in [
        (400, "AccessDeniedException", not_here, "Denied", "of account 111122223333"),
        (400, "ExpiredTokenException", "The security token is expired", "Denied", "aws sso login"),
        (400, "UnrecognizedClientException", "The security token is invalid", "Denied", "does not take them"),
        (400, "InvalidSignatureException", signature, "Denied", "does not take them"),
        (
            400,
            "InvalidParameterException",
            "Invalid parameter",
            "Unusable",
            "InvalidParameterException: Invalid",
        ),
        (403, "Strange", "no", "Denied", "403, Strange: no"),
        (400, "Strange", "no", "Unusable", "400, Strange: no"),
        (400, "ThrottlingException", "Rate exceeded", "Throttled", "takes no more questions"),
        (429, "Strange", "slower", "Throttled", "takes no more questions for 5 s"),
        (500, "ServerException", "broken", "Unreachable", "500, ServerException: broken"),
    ] {
        let body = json!({"__type": code, "message": message}).to_string();
        let server = Server::start(move |_| answer(status, &[("retry-after", "5")], body.clone())).await;
        let error = registries(&server.place).find(&repository(), &tags(&["v1"])).await.unwrap_err();
        let text = format!("{error} ({}) {error:?}", error.hint().unwrap());
        assert!(format!("{error:?}").starts_with(class), "{code}: {text}");
        assert!(text.contains(words), "{code}: {text}");
        assert!(!text.contains("canary"), "{code}: {text}");
    }
}

#[tokio::test]
async fn of_an_image_s_failures_one_alone_is_absence() {
    for (code, class, words) in [
        ("ImageTagDoesNotMatchDigest", "Unusable", "v1: ImageTagDoesNotMatchDigest: because"),
        ("KmsError", "Denied", "the key that the repository is encrypted with"),
        ("UpstreamAccessDenied", "Denied", "pull-through cache"),
        ("UpstreamUnavailable", "Unreachable", "v1: UpstreamUnavailable"),
        ("UpstreamTooManyRequests", "Throttled", "takes no more questions"),
        ("Strange", "Unusable", "v1: Strange: because"),
    ] {
        let body = json!({"images": [], "failures": [{"imageId": {"imageTag": "v1"}, "failureCode": code, "failureReason": "because"}]});
        let server = Server::start(move |_| said(200, &body)).await;
        let error = registries(&server.place).find(&repository(), &tags(&["v1"])).await.unwrap_err();
        let text = format!("{error:?} {error} ({})", error.hint().unwrap());
        assert!(text.starts_with(class) && text.contains(words), "{code}: {text}");
    }
    for (body, words) in [
        (json!({"images": [], "failures": []}), "it says nothing of the tag v1"),
        (json!({"images": [{"imageId": {"imageTag": "v1", "imageDigest": "sha256:0"}}]}), "is no digest"),
        (json!({"images": [{"imageId": {"imageTag": "v1"}}]}), "is no digest"),
    ] {
        let server = Server::start(move |_| said(200, &body)).await;
        let error = registries(&server.place).find(&repository(), &tags(&["v1"])).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Unusable { .. }) && error.to_string().contains(words),
            "{error}"
        );
    }
    let page = Server::start(|_| answer(200, &[], "<html>sign in</html>")).await;
    let error = registries(&page.place).find(&repository(), &tags(&["v1"])).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unusable { .. }), "{error:?}");
}

#[tokio::test]
async fn whoever_is_silent_is_given_up_in_time() {
    let never = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let server = Server::start(move |_| answer(200, &[], never())).await;
    let begun = std::time::Instant::now();
    for place in [server.place.as_str(), "127.0.0.1:1"] {
        let error = registries(place).find(&repository(), &tags(&["v1"])).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
