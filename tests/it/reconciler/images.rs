//! Where a branch is followed, the newest commit is wanted whose image exists, and it is deployed by digest (RULES §9).

use std::time::Duration;

use super::support::{Shop, eventually, holds, shown, status};
use moorline::model::facts::ImageState;
use moorline::model::source::{CommitSha, FileTree, RepositoryUrl};
use moorline::report::status::Board;

const IMAGE: &str = "registry.example.com/shop/pay";

fn code_url() -> RepositoryUrl {
    "/srv/pay".parse().unwrap()
}

const CHART: &str = "apiVersion: v2\nname: pay\nversion: 1.0.0\n";
const VALUES: &str = "image: {repository: \"\", tag: \"\", digest: \"\"}\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pay}\ndata:\n  image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}@{{ .Values.image.digest }}\"\n";

/// A shop whose service `pay` has its code elsewhere; its images are pushed by hand.
struct Pay {
    shop: Shop,
}

impl Pay {
    fn new(more: &str) -> Self {
        let shop = Shop::new();
        shop.write(
            "moorline.yaml",
            "version: 1\nname: shop\nenvironments:\n  dev: {branch: dev}\n  prod: {from: dev}\ndefaults: {registry: registry.example.com, sync: {timeout: 60s}}\n",
        );
        shop.write(
            "services/pay.yaml",
            &format!(
                "team: blue\ncode: {{repository: /srv/pay{more}}}\nchart: {{path: chart}}\nimage:\n  repository: \"{{registry}}/shop/pay\"\n  values: {{repository: image.repository, tag: image.tag, digest: image.digest}}\n"
            ),
        );
        shop.write("environments/dev/pay.yaml", "");
        shop.commit();
        shop.world.registries.empty(IMAGE);
        Self { shop }
    }

    /// Commits on the branch `dev`.
    fn commit(&self, files: &[(&str, &str)]) -> CommitSha {
        let mut all = vec![
            ("chart/Chart.yaml".to_owned(), CHART.to_owned()),
            ("chart/values.yaml".to_owned(), VALUES.to_owned()),
            ("chart/templates/map.yaml".to_owned(), TEMPLATE.to_owned()),
        ];
        all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let tree = FileTree::from_contents(all.iter().map(|(path, text)| (path, text)));
        self.shop.world.repositories.commit(&code_url(), "dev", tree)
    }

    fn push(&self, commit: CommitSha) -> String {
        let digest = self.shop.world.registries.push(IMAGE, &commit.to_string(), &commit.to_string());
        format!("{IMAGE}:{commit}@{digest}")
    }

    fn image(&self) -> String {
        self.shop.object("|ConfigMap|blue-dev|pay")["data"]["image"].as_str().unwrap_or("none").to_owned()
    }
}

fn awaits(board: &Board, commit: CommitSha, state: ImageState) -> bool {
    let awaiting = status(board, "dev", "pay").and_then(|one| one.awaiting.as_ref());
    awaiting.is_some_and(|awaiting| awaiting.commit == commit && awaiting.state == state)
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_awaited_until_its_image_is_pushed_and_deployed_by_digest() {
    let pay = Pay::new("");
    let first = pay.commit(&[]);
    let outcome = pay.shop.once().await;
    assert_eq!(holds(&outcome, "dev", "pay"), ["ImageAwaited"]);
    assert!(awaits(&outcome.board, first, ImageState::Awaited));
    let awaiting = status(&outcome.board, "dev", "pay").unwrap().awaiting.clone().unwrap();
    assert_eq!((awaiting.author.as_str(), awaiting.image), ("Ann", format!("{IMAGE}:{first}")));
    let reference = pay.push(first);
    pay.shop.once().await;
    assert_eq!(pay.image(), reference);
    // The next commit is awaited, and what runs stays.
    let second = pay.commit(&[("src/main.rs", "2")]);
    let outcome = pay.shop.once().await;
    assert!(awaits(&outcome.board, second, ImageState::Awaited));
    assert!(holds(&outcome, "dev", "pay").is_empty(), "nothing is wrong");
    assert_eq!(pay.image(), reference);
    let reference = pay.push(second);
    let outcome = pay.shop.once().await;
    assert_eq!(pay.image(), reference);
    assert!(status(&outcome.board, "dev", "pay").unwrap().awaiting.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_image_that_comes_late_is_noticed_by_the_daemon() {
    let pay = &Pay::new("");
    let first = pay.commit(&[]);
    pay.shop
        .daemon(|mut board| async move {
            shown(&mut board, |board| awaits(board, first, ImageState::Awaited)).await;
            tokio::time::sleep(Duration::from_mins(10)).await;
            let reference = pay.push(first);
            eventually(|| pay.image() == reference).await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_never_comes_is_missing_and_holds_back_nothing_newer() {
    let pay = Pay::new("");
    let first = pay.commit(&[]);
    let reference = pay.push(first);
    pay.shop.once().await;
    let second = pay.commit(&[("src/main.rs", "2")]);
    tokio::time::advance(Duration::from_hours(2)).await;
    let outcome = pay.shop.once().await;
    assert!(awaits(&outcome.board, second, ImageState::Missing));
    let pay_status = status(&outcome.board, "dev", "pay").unwrap();
    assert!(
        pay_status.notices.iter().any(|notice| notice.contains("is missing")),
        "{:?}",
        pay_status.notices
    );
    assert!(pay_status.holds.is_empty());
    assert_eq!(pay.image(), reference);
    let third = pay.commit(&[("src/main.rs", "3")]);
    let reference = pay.push(third);
    pay.shop.once().await;
    assert_eq!(pay.image(), reference);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_changes_nothing_and_says_so() {
    let pay = Pay::new("");
    let first = pay.commit(&[]);
    let reference = pay.push(first);
    pay.shop.once().await;
    let second = pay.commit(&[("src/main.rs", "2")]);
    let newer = pay.push(second);
    pay.shop.world.registries.set_reachable("registry.example.com", false);
    let outcome = pay.shop.once().await;
    assert_eq!(holds(&outcome, "dev", "pay"), ["ImageUnknown"]);
    assert!(awaits(&outcome.board, second, ImageState::Unknown));
    assert_eq!(pay.image(), reference, "what runs stays");
    assert!(holds(&outcome, "dev", "web").is_empty(), "nobody else needs the registry");
    pay.shop.world.registries.set_reachable("registry.example.com", true);
    pay.shop.once().await;
    assert_eq!(pay.image(), newer);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_moves_changes_nothing_that_runs() {
    let pay = Pay::new("");
    let first = pay.commit(&[]);
    let reference = pay.push(first);
    pay.shop.once().await;
    pay.shop.world.registries.push(IMAGE, &first.to_string(), "another image");
    let writes = pay.shop.world.cluster.writes().len();
    pay.shop.once().await;
    assert_eq!((pay.image(), pay.shop.world.cluster.writes().len()), (reference.clone(), writes));
    // Gone altogether, it is not even asked for.
    pay.shop.world.registries.remove(IMAGE, &first.to_string());
    pay.shop.once().await;
    assert_eq!(pay.image(), reference);
}

#[tokio::test(start_paused = true)]
async fn in_a_monorepo_only_commits_that_change_the_service_are_versions() {
    let pay = Pay::new(", path: services/pay");
    let first = pay.commit(&[("services/pay/main.rs", "1")]);
    // CI tags what it built by the newest commit: another service's.
    let other = pay.commit(&[("services/pay/main.rs", "1"), ("services/other/main.rs", "1")]);
    let reference = pay.push(other);
    let outcome = pay.shop.once().await;
    assert_eq!(pay.image(), reference);
    let deployed = status(&outcome.board, "dev", "pay").unwrap().deployed.clone().unwrap();
    assert_eq!(deployed.commit, Some(first), "the version is the commit that changed it");
    // Another service's commits want no image of this one.
    pay.commit(&[("services/pay/main.rs", "1"), ("services/other/main.rs", "2")]);
    let outcome = pay.shop.once().await;
    assert!(status(&outcome.board, "dev", "pay").unwrap().awaiting.is_none());
    assert_eq!(pay.image(), reference);
}

#[tokio::test(start_paused = true)]
async fn a_pinned_commit_needs_its_image_at_once() {
    let pay = Pay::new("");
    let first = pay.commit(&[]);
    pay.shop.write("environments/prod/pay.yaml", "");
    pay.shop.write("environments/prod/versions.yaml", &format!("pay: \"{first}\"\n"));
    pay.shop.commit();
    let outcome = pay.shop.once().await;
    assert_eq!(holds(&outcome, "prod", "pay"), ["ImageMissing"]);
    let reference = pay.push(first);
    pay.shop.once().await;
    let image = pay.shop.object("|ConfigMap|blue-prod|pay")["data"]["image"].clone();
    assert_eq!(image, reference);
}
