//! Things to try in another terminal, each a line to paste.

use super::registry::MANIFEST;
use super::shop::Shop;

/// Something to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// What it shows.
    pub title: &'static str,
    /// The line for a shell.
    pub line: String,
}

/// All of them, in an order that works. `program` is moorline's own path.
pub fn tries(shop: &Shop, program: &str) -> Vec<Try> {
    let quoted = |path: &std::path::Path| quote(&path.display().to_string());
    let (code, config) = (quoted(&shop.code()), quoted(&shop.config()));
    let (state, data, kubeconfig) = (quoted(&shop.state()), quoted(&shop.data()), quoted(&shop.kubeconfig()));
    let dev = quoted(&shop.config().join("environments/dev/shop.yaml"));
    let pins = quoted(&shop.config().join("environments/prod/versions.yaml"));
    let greeter = quoted(&shop.config().join("k8s/greeter/greeter.yaml"));
    let kubectl = format!("kubectl --kubeconfig {kubeconfig}");
    let (program, registry) = (quote(program), &shop.registry);
    let common = format!("--config {config} --kubeconfig {kubeconfig} --data-dir {data}");
    let one = |title, line| Try { title, line };
    vec![
        one("see what runs", format!("{kubectl} get deployments,pods -A")),
        one(
            "break something, and see it healed",
            format!(
                "{kubectl} -n blue-dev scale deployment shop --replicas=5 && sleep 1 && {kubectl} -n blue-dev get deployment shop"
            ),
        ),
        one(
            "delete something, and see it come back",
            format!("{kubectl} -n blue-dev delete configmap greeter --wait=false"),
        ),
        one(
            "commit a change",
            format!("echo 'greeting: good evening' > {dev} && git -C {config} commit -qam 'a new greeting'"),
        ),
        one("revert it", format!("git -C {config} revert --no-edit HEAD")),
        one(
            "commit code: dev waits for its image",
            format!("git -C {code} commit -q --allow-empty -m 'version 2'"),
        ),
        one(
            "push the image, as CI would by docker push: dev follows",
            format!(
                "commit=$(git -C {code} rev-parse HEAD) && curl -sS -X PUT -H 'content-type: {MANIFEST}' -d \"$commit\" http://{registry}/v2/shop/manifests/$commit"
            ),
        ),
        one("see what prod lacks", format!("{program} pending prod {common}")),
        one(
            "promote it to prod by a pin",
            format!(
                "echo \"shop: $(git -C {code} rev-parse HEAD)\" > {pins} && git -C {config} commit -qam 'shop to prod'"
            ),
        ),
        one(
            "push a bad image, and see it held while the old one runs on",
            format!(
                "sed -i.bak 's/greeter:1/greeter:missing/' {greeter} && rm {greeter}.bak && git -C {config} commit -qam 'a bad image'"
            ),
        ),
        one("take it back", format!("git -C {config} revert --no-edit HEAD")),
        one("ask for the state, without the daemon", format!("{program} status {common}")),
        one("read what was recorded", format!("git -C {state} log --format='%h %B' main")),
    ]
}

/// A word for a POSIX shell.
fn quote(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+:@%".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The text that shows them.
pub fn text(tries: &[Try]) -> String {
    let mut text = String::from("Things to try in another terminal, each a line to paste:\n\n");
    for one in tries {
        text.push_str(&format!("  # {}\n  {}\n\n", one.title, one.line));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_and_quotes_are_still_one_word() {
        assert_eq!(quote("/tmp/moorline-demo.1"), "/tmp/moorline-demo.1");
        assert_eq!(quote("/tmp/my demo's"), r"'/tmp/my demo'\''s'");
        let shop =
            Shop { folder: "/tmp/a b".into(), registry: "127.0.0.1:5000".into(), first: String::new() };
        for one in tries(&shop, "/usr/bin/moorline") {
            assert!(!one.line.contains('\n') && one.line.contains("'/tmp/a b/"), "{}", one.line);
        }
    }
}
