//! Rendering plain YAML: namespaces, labels, layouts, hooks, what is refused.

use super::*;
use crate::desired::ConfigRepository;
use crate::model::error::Classified as _;

fn environment_files(files: &[(&str, &str)]) -> FileTree {
    let base = [
        (
            "moorline.yaml",
            "version: 1\nname: shop\nenvironments: {dev: {branch: dev, namespace: platform}}\n",
        ),
        ("services/web.yaml", "team: blue\nmanifests: {path: k8s/web}\n"),
        ("environments/dev/web.yaml", ""),
    ];
    FileTree::from_contents(base.iter().chain(files).copied())
}

/// Renders the application `web` of a config repository from the files of its chart or manifests.
fn render_files(tree: &FileTree, files: &FileTree) -> Result<Rendered, RenderError> {
    let config = ConfigRepository::read(tree);
    let (applications, faults) = config.applications(tree, &"dev".parse().unwrap());
    assert!(faults.is_empty(), "{faults:?}");
    let application = applications.iter().find(|one| one.id.service.as_str() == "web").unwrap();
    let outcome = render(&RenderInput {
        instance: &"shop".parse().unwrap(),
        own_namespace: &"moorline".parse().unwrap(),
        application,
        umbrella: None,
        folder: &FileTree::default(),
        files,
        code: &WantedCode::default(),
        kinds: None,
        kubernetes: None,
        supply: &crate::desired::Supply::new(),
        lookups: None,
        chance: crate::helm::Chance::StandIns,
        seed: [0; 32],
        now: 0,
        time: None,
    })?;
    match outcome {
        Outcome::Rendered(rendered) => Ok(*rendered),
        Outcome::Needs(needs) => panic!("asks {needs:?}"),
    }
}

fn render_web(files: &[(&str, &str)]) -> Result<Rendered, RenderError> {
    let tree = environment_files(files);
    render_files(&tree, &tree.subtree("k8s/web"))
}

#[test]
fn plain_yaml_gets_its_namespace_and_labels() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b, namespace: c}\n";
    let rendered = render_web(&[("k8s/web/a.yaml", map)]).unwrap();
    let ids: Vec<_> = rendered.set.manifests.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(ids, ["Namespace b", "ConfigMap blue-dev/a"]);
    assert_eq!(rendered.set.manifests[1].object["metadata"]["labels"]["moorline.dev/application"], "dev.web");
}

#[test]
fn flat_and_custom_together_are_a_fault_that_names_both() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let error = render_web(&[("k8s/web/a.yaml", map), ("k8s/web/custom/dev/b.yaml", map)]).unwrap_err();
    assert_eq!(error.to_string(), "k8s/web/a.yaml and k8s/web/custom/dev/b.yaml are both there");
    assert!(render_web(&[("k8s/web/custom/dev/b.yaml", map), ("k8s/web/custom/rc/c.yaml", "{")]).is_ok());
    assert!(render_web(&[("k8s/web/a.yaml", map), ("k8s/web/custom/rc/c.yaml", "{")]).is_ok());
    assert!(render_web(&[("k8s/web/readme.md", "x")]).is_err());
}

#[test]
fn the_same_object_twice_is_a_fault() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let error = render_web(&[("k8s/web/a.yaml", map), ("k8s/web/b.yaml", map)]).unwrap_err();
    assert!(error.to_string().contains("rendered twice: by k8s/web/a.yaml and by k8s/web/b.yaml"), "{error}");
}

#[test]
fn hooks_hold_or_are_left_out() {
    let hook = |event: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {{helm.sh/hook: {event}}}}}\n"
        )
    };
    assert!(matches!(render_web(&[("k8s/web/a.yaml", &hook("pre-install"))]), Err(RenderError::Hook { .. })));
    assert!(render_web(&[("k8s/web/a.yaml", &hook("test"))]).unwrap().notices.is_empty());
    let after = render_web(&[("k8s/web/a.yaml", &hook("post-install"))]).unwrap();
    assert_eq!((after.set.manifests.len(), after.notices.len()), (0, 1));
}

#[test]
fn moorlines_own_namespace_and_types_are_refused() {
    for text in [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: moorline}\n",
        "apiVersion: v1\nkind: Secret\ntype: moorline.dev/set\nmetadata: {name: a}\n",
        "apiVersion: moorline.dev/v1\nkind: Thing\nmetadata: {name: a}\n",
    ] {
        assert!(render_web(&[("k8s/web/a.yaml", text)]).is_err(), "{text}");
    }
}

/// Renders a chart of a code repository whose schema refuses its values.
fn render_chart(service: &str, schema: &str) -> Result<Rendered, RenderError> {
    let code = "code: {repository: https://git.example.com/web}\nchart: {path: chart}\n";
    let tree = environment_files(&[("services/web.yaml", &format!("team: blue\n{code}{service}"))]);
    let files = FileTree::from_contents([
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("values.schema.json", schema),
        ("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ]);
    render_files(&tree, &files)
}

#[test]
fn the_schema_of_a_chart_may_be_left_out() {
    let elsewhere = r#"{"properties": {"global": {"$ref": "https://example.com/global.json"}}}"#;
    for (schema, words) in
        [(r#"{"required": ["a"]}"#, "missing property 'a'"), (elsewhere, "cannot be resolved")]
    {
        let error = render_chart("", schema).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.hint().unwrap().contains("`schema: skip`"), "{:?}", error.hint());
        assert!(render_chart("schema: check\n", schema).is_err());
        assert_eq!(render_chart("schema: skip\n", schema).unwrap().set.manifests.len(), 1);
    }
}
