//! `moorline diff`.

use std::os::unix::fs::PermissionsExt as _;

use crate::commands::{base64, once, secret};
use crate::shop::{Output, Shop, config_map};

#[test]
#[ignore = "needs the real parts: tests/run"]
fn diff_says_by_its_exit_code_whether_anything_differs() {
    let shop = Shop::new("diff");
    assert_eq!(once(&shop).code, 0);
    let same = shop.run(&["diff", "dev", "api"]);
    assert_eq!(same.code, 0, "{}", same.all());
    assert!(same.stdout().lines().all(|line| line.starts_with('#')), "extras alone: {}", same.all());
    let before = shop.config_commit();

    shop.commit(&[("k8s/api/config.yaml", &config_map("api", "blue"))]);
    let changed = shop.run(&["diff", "dev", "api"]);
    assert_eq!(changed.code, 1, "{}", changed.all());
    for line in ["--- live ", "+++ wanted ", "@@ ", "-  colour: red", "+  colour: blue"] {
        let found = changed.stdout().lines().any(|one| one.starts_with(line));
        assert!(found, "{line:?} in {}", changed.all());
    }
    assert!(!changed.stdout().contains("managedFields"), "{}", changed.all());
    assert!(!changed.stdout().contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(shop.run(&["diff", "dev", "jobs"]).code, 0, "another service is the same");
    let earlier = shop.run(&["diff", "dev", "api", "--revision", &before]);
    assert_eq!(earlier.code, 0, "{}", earlier.all());

    let namespace = shop.namespace("dev");
    shop.kubectl(&["-n", &namespace, "annotate", "configmap", "api", "example.com/owner=ann"]);
    let extra = shop.run(&["diff", "dev", "api", "--revision", &before]);
    assert_eq!(extra.code, 0, "what others add is no difference: {}", extra.all());
    assert!(extra.stdout().contains("# extra fields of"), "{}", extra.all());
    assert!(extra.stdout().contains("example.com~1owner by kubectl"), "{}", extra.all());

    let wrong = [
        vec!["diff", "nowhere"],
        vec!["diff", "dev", "nobody"],
        vec!["diff", "dev", "--revision", "no-such-branch"],
        vec!["diff", "../dev"],
    ];
    for arguments in wrong {
        let output = shop.run(&arguments);
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.all());
        assert!(output.stderr().contains("error: "), "{arguments:?}: {}", output.all());
    }
    shop.commit(&[("k8s/api/config.yaml", "kind: [")]);
    let broken = shop.run(&["diff", "dev", "api"]);
    assert_eq!(broken.code, 2, "{}", broken.all());
    assert!(broken.stderr().contains("k8s/api/config.yaml:"), "{}", broken.all());
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn diff_shows_that_a_secret_changed_and_never_its_value() {
    let shop = Shop::new("diff-secret");
    let namespace = shop.namespace("dev");
    let values = ["canary-zero-kubectl", "canary-first-git", "canary-second-git"];
    // What kubectl applied leaves the value in an annotation as well.
    shop.kubectl(&["create", "namespace", &namespace]);
    shop.kubectl_with_input(&["-n", &namespace, "apply", "-f", "-"], &secret(values[0]));
    shop.commit(&[("k8s/api/secret.yaml", &secret(values[1]))]);
    let mut outputs = vec![shop.run(&["diff", "dev", "api"]), once(&shop)];
    assert_eq!((outputs[0].code, outputs[1].code), (1, 0), "{}{}", outputs[0].all(), outputs[1].all());
    assert_eq!(shop.run(&["diff", "dev", "api"]).code, 0);

    shop.commit(&[("k8s/api/secret.yaml", &secret(values[2]))]);
    let changed = shop.run(&["diff", "dev", "api"]);
    assert_eq!(changed.code, 1, "{}", changed.all());
    let lines = |sign: char| {
        let lines = changed.stdout().lines().filter(move |line| line.starts_with(sign));
        lines.filter(|line| line.contains("password")).count()
    };
    assert_eq!((lines('-'), lines('+')), (1, 1), "{}", changed.all());
    let user =
        |sign: char| changed.stdout().lines().any(|line| line.starts_with(sign) && line.contains("user:"));
    assert!(!user('-') && !user('+'), "an equal value has an equal fingerprint: {}", changed.all());
    outputs.push(changed);
    let plan = shop.run(&["plan", "dev", "api", "-o", "json"]);
    let plans: serde_json::Value = serde_json::from_str(plan.stdout()).unwrap();
    let steps = plans[0]["steps"].as_array().unwrap();
    let mut applied = steps.iter().filter(|step| step["step"] == "apply");
    assert!(applied.any(|step| step["objects"][0]["kind"] == "Secret"), "{}", plan.all());
    outputs.push(plan);
    outputs.push(shop.run(&["status", "dev", "api", "-o", "json"]));
    outputs.push(once(&shop));
    for output in &outputs {
        for value in values {
            let text = output.all();
            assert!(!text.contains(value) && !text.contains(&base64(value)), "{value}: {text}");
        }
    }
}

#[test]
#[ignore = "needs the real parts: tests/run"]
fn diff_hands_two_folders_to_a_program_of_ones_own() {
    let shop = Shop::new("diff-program");
    assert_eq!(once(&shop).code, 0);
    shop.commit(&[("k8s/api/config.yaml", &config_map("api", "blue"))]);
    let program = shop.folder().join("compare");
    std::fs::write(&program, "#!/bin/sh\necho \"flag $1\"\ngrep -r colour: \"$2\" \"$3\"\nexit 1\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let call = format!("{} --mine", program.display());
    let output = Output::of(shop.program(&["diff", "dev", "api"]).env("KUBECTL_EXTERNAL_DIFF", call));
    assert_eq!(output.code, 1, "{}", output.all());
    let lines: Vec<&str> = output.stdout().lines().collect();
    assert_eq!(lines[0], "flag --mine", "{}", output.all());
    assert!(lines.iter().any(|line| line.contains("/LIVE/") && line.ends_with("colour: red")));
    assert!(lines.iter().any(|line| line.contains("/MERGED/") && line.ends_with("colour: blue")));

    let output =
        Output::of(shop.program(&["diff", "dev", "api"]).env("KUBECTL_EXTERNAL_DIFF", "no-such-one"));
    assert_eq!(output.code, 2, "{}", output.all());
    assert!(output.stderr().contains("KUBECTL_EXTERNAL_DIFF"), "{}", output.all());
}
