//! Work in proportion to what changed: one child of an umbrella of three hundred, one answer of discovery.

use std::collections::BTreeMap;

use moorline::model::source::FileTree;
use moorline::reconciler::observe::{Desired, Observer, Reading};
use moorline_doubles::MemoryWorld;

use super::support::{Shop, config_url, eventually};

const CHILDREN: usize = 300;

/// An environment `dev` whose umbrella has as many children.
fn umbrella() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let about = "version: 1\nname: shop\nenvironments: {dev: {namespace: blue}}\n";
    files.insert("moorline.yaml".to_owned(), about.to_owned());
    let mut dependencies = String::new();
    for number in 0..CHILDREN {
        let name = format!("child-{number}");
        let folder = format!("environments/dev/charts/{name}");
        dependencies += &format!("- {{name: {name}, version: 1.0.0}}\n");
        files.insert(
            format!("{folder}/Chart.yaml"),
            format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
        );
        files.insert(format!("{folder}/values.yaml"), "colour: red\n".to_owned());
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{colour: {{{{ .Values.colour }}}}}}\n"
        );
        files.insert(format!("{folder}/templates/map.yaml"), map);
    }
    let chart = format!("apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n{dependencies}");
    files.insert("environments/dev/Chart.yaml".to_owned(), chart);
    files
}

async fn read(
    world: &MemoryWorld,
    observer: &mut Observer,
    files: &BTreeMap<String, String>,
) -> (Reading, u64) {
    world.repositories.commit(&config_url(), "main", FileTree::from_contents(files.iter()));
    let before = world.metrics.rendered_in_all();
    observer.read_config(None).await.unwrap();
    let reading =
        observer.read(None, &BTreeMap::new(), &moorline::reconciler::observe::ClusterViews::default()).await;
    (reading, world.metrics.rendered_in_all() - before)
}

#[tokio::test(start_paused = true)]
async fn a_change_of_one_child_of_three_hundred_runs_the_templates_of_one() {
    let shop = Shop::new();
    let mut observer = Observer::new(shop.world.world(), shop.options());
    let mut files = umbrella();
    let (reading, renders) = read(&shop.world, &mut observer, &files).await;
    assert_eq!((reading.desired.len(), renders), (CHILDREN, 300));
    assert!(reading.desired.values().all(|one| matches!(one, Desired::Rendered(_))));
    // Its values, its template, its layer, a file that nobody reads, and nothing at all.
    for (path, text, expected) in [
        ("environments/dev/charts/child-7/values.yaml", "colour: blue\n", 1),
        ("environments/dev/charts/child-8/templates/more.yaml", "# nothing\n", 1),
        ("environments/dev/child-9.yaml", "colour: green\n", 1),
        ("environments/dev/manifests/plain.yaml", "", 1),
        ("README.md", "words", 0),
        ("README.md", "words", 0),
        ("environments/dev/values.yaml", "global: {a: 1}\n", 301),
    ] {
        files.insert(path.to_owned(), text.to_owned());
        assert_eq!(read(&shop.world, &mut observer, &files).await.1, expected, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_chart_is_rendered_again_when_discovery_answers_what_it_asked() {
    let shop = Shop::new();
    let chart = |name: &str, api: &str| {
        let folder = format!("environments/dev/charts/{name}");
        shop.write(&format!("services/{name}.yaml"), "team: blue\n");
        shop.write(
            &format!("{folder}/Chart.yaml"),
            &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
        );
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{has: \"{{{{ .Capabilities.APIVersions.Has \"{api}\" }}}}\", version: {{{{ .Capabilities.KubeVersion.Version | quote }}}}}}\n"
        );
        shop.write(&format!("{folder}/templates/map.yaml"), &map);
    };
    chart("monitor", "monitoring.coreos.com/v1/ServiceMonitor");
    chart("other", "batch/v1");
    shop.write(
        "environments/dev/Chart.yaml",
        "apiVersion: v2\nname: dev\nversion: 0.1.0\ndependencies:\n- {name: monitor, version: 1.0.0}\n- {name: other, version: 1.0.0}\n",
    );
    shop.commit();
    let has = |name: &str| shop.object(&format!("|ConfigMap|blue-dev|{name}"))["data"]["has"].clone();
    shop.daemon(|_| async {
        eventually(|| has("monitor") == "false").await;
        let renders = shop.world.metrics.rendered_in_all();
        shop.world.cluster.serve("monitoring.coreos.com", "v1", "ServiceMonitor", true);
        eventually(|| has("monitor") == "true").await;
        assert_eq!(shop.world.metrics.rendered_in_all(), renders + 1, "who did not ask is not concerned");
        assert_eq!(shop.object("|ConfigMap|blue-dev|monitor")["data"]["version"], "v1.37.2");
    })
    .await;
}
