//! Random umbrellas from a seed: aliases, conditions, tags, globals, imports, libraries,
//! requirements files, folders and archives, layers.

use std::fmt::Write as _;

use moorline::helm::{Chart, Compat, Engine, RenderInput, Values};

use super::{Files, folder, read_folder};

/// An umbrella and the layers of values that it is rendered with.
pub(super) struct Umbrella {
    pub(super) files: Files,
    pub(super) layers: Vec<String>,
}

/// Numbers from a seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A chart as `helm create` writes it, under another name, with a template that shows its values.
fn created(dice: &mut Dice, name: &str, version: &str) -> Files {
    let source = if dice.one_in(2) { "created-by-3" } else { "created-by-4" };
    let mut files: Files = read_folder(&folder().join("corpus").join(source))
        .into_iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes).expect("text").replace("demo", name);
            (path, text.replace("version: 0.1.0", &format!("version: {version}")).into_bytes())
        })
        .collect();
    let mut values = String::from_utf8(files.remove("values.yaml").expect("values")).expect("text");
    values.push_str("global: {region: nowhere, nested: {child: 1, shared: from-child}}\n");
    values.push_str(
        "exports: {data: {imported: yes-of-child}}\nextra: {size: 12, keep: true, drop: me, none: null}\n",
    );
    files.insert("values.yaml".to_owned(), values.into_bytes());
    files.insert(
        "templates/shown.yaml".to_owned(),
        b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Name }}-shown\ndata:\n  template: {{ .Template.Name }}\n  values: |\n    {{- toYaml .Values | nindent 4 }}\n  json: {{ toJson .Values.extra | quote }}\n  size: {{ .Values.extra.size | int }}\n---\n{{- range $index, $word := list \"a\" \"b\" }}\n---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ $.Chart.Name }}-{{ $word }}\n  annotations:\n    helm.sh/hook: {{ ternary \"pre-install,pre-upgrade\" \"post-install\" (eq $index 0) }}\n    helm.sh/hook-weight: \"{{ $index }}\"\n{{- end }}\n"
            .to_vec(),
    );
    files
}

/// A library chart that lends one named template.
fn library() -> Files {
    Files::from([
        ("Chart.yaml".to_owned(), b"apiVersion: v2\nname: common\nversion: 1.0.0\ntype: library\n".to_vec()),
        (
            "templates/_labels.tpl".to_owned(),
            b"{{- define \"common.label\" -}}\nlabel-of: {{ .Chart.Name }}-{{ .Values.global.region }}\n{{- end }}\n".to_vec(),
        ),
        ("templates/never.yaml".to_owned(), b"kind: Never\n".to_vec()),
    ])
}

/// Packs files as a chart archive.
pub(super) fn pack(name: &str, files: &Files) -> Vec<u8> {
    let files = files.iter().map(|(path, content)| (path.as_str(), content));
    moorline_doubles::packaged(name, files).expect("an archive")
}

fn vendor(umbrella: &mut Files, entry: &str, name: &str, version: &str, files: &Files, packed: bool) {
    if packed {
        umbrella.insert(format!("charts/{entry}-{version}.tgz"), pack(name, files));
        return;
    }
    for (path, bytes) in files {
        umbrella.insert(format!("charts/{entry}/{path}"), bytes.clone());
    }
}

/// What is written piece by piece.
struct Texts {
    listed: String,
    values: String,
    layer: String,
}

/// Lists a chart once more, under its name or an alias, with values of its own.
fn list(dice: &mut Dice, texts: &mut Texts, name: &str, index: u64, usage: u64) {
    let alias = if usage > 0 || dice.one_in(3) { format!("alias-{index}-{usage}") } else { name.to_owned() };
    let range = ["*", "1.x", "^1.0.0", ">=1.0.0 <2"][usize::try_from(dice.below(4)).expect("small")];
    let _ = write!(texts.listed, "- name: {name}\n  version: '{range}'\n  repository: ''\n");
    if alias != name {
        let _ = writeln!(texts.listed, "  alias: {alias}");
    }
    if dice.one_in(3) {
        let _ = writeln!(texts.listed, "  condition: {alias}.enabled,global.all");
        let _ =
            write!(texts.values, "{alias}:\n  enabled: {}\n", if dice.one_in(2) { "true" } else { "false" });
    } else {
        let _ = write!(texts.values, "{alias}:\n  replicaCount: {}\n", 1 + dice.below(5));
    }
    let _ = write!(
        texts.values,
        "  extra: {{size: {}, drop: null}}\n  image: {{tag: \"{}\"}}\n",
        dice.below(2_000_000),
        dice.below(1_000)
    );
    if dice.one_in(3) {
        let _ = writeln!(texts.listed, "  tags: [group{}]", dice.below(2));
    }
    if dice.one_in(4) {
        texts.listed.push_str("  import-values: [data]\n");
    }
    if dice.one_in(2) && !texts.layer.contains(&format!("{alias}:")) {
        let _ = writeln!(
            texts.layer,
            "{alias}: {{service: {{port: {}}}, extra: {{keep: null}}, autoscaling: {{enabled: {}}}}}",
            8000 + dice.below(99),
            dice.one_in(2)
        );
    }
}

/// The umbrella of a seed.
pub(super) fn umbrella(seed: u64) -> Umbrella {
    let mut dice = Dice::new(seed);
    let mut files = Files::new();
    let mut texts = Texts {
        listed: String::new(),
        values: String::from(
            "global:\n  region: eu\n  nested: {shared: from-umbrella}\nown: {text: hello}\n",
        ),
        layer: String::from("global: {region: us}\n"),
    };
    let count = 2 + dice.below(4);
    for index in 0..count {
        let name = format!("svc{index}");
        let version = format!("1.{}.{}", dice.below(5), dice.below(9));
        let mut chart = created(&mut dice, &name, &version);
        if dice.one_in(3) {
            let inner = created(&mut dice, "inner", "0.3.0");
            vendor(&mut chart, "inner", "inner", "0.3.0", &inner, dice.one_in(2));
            let yaml = chart.get_mut("Chart.yaml").expect("metadata");
            yaml.extend_from_slice(
                b"\ndependencies:\n- {name: inner, version: 0.x, repository: '', condition: inner.enabled}\n",
            );
            if dice.one_in(2) {
                let _ = writeln!(texts.layer, "svc{index}: {{inner: {{enabled: {}}}}}", dice.one_in(2));
            }
        }
        let packed = dice.one_in(2);
        vendor(&mut files, &name, &name, &version, &chart, packed);
        let uses = if dice.one_in(4) { 2 } else { 1 };
        for usage in 0..uses {
            list(&mut dice, &mut texts, &name, index, usage);
        }
    }
    if dice.one_in(2) {
        vendor(&mut files, "common", "common", "1.0.0", &library(), dice.one_in(2));
        texts.listed.push_str("- {name: common, version: 1.0.0, repository: ''}\n");
    }
    if dice.one_in(2) {
        let _ = writeln!(texts.values, "tags: {{group0: {}, group1: {}}}", dice.one_in(2), dice.one_in(2));
    }
    finish(&mut dice, files, texts)
}

fn finish(dice: &mut Dice, mut files: Files, texts: Texts) -> Umbrella {
    let Texts { listed, values, layer } = texts;
    if dice.one_in(3) {
        files.insert("Chart.yaml".to_owned(), b"apiVersion: v1\nname: fleet\nversion: 0.1.0\n".to_vec());
        files.insert("requirements.yaml".to_owned(), format!("dependencies:\n{listed}").into_bytes());
    } else {
        let text = format!("apiVersion: v2\nname: fleet\nversion: 0.1.0\ndependencies:\n{listed}");
        files.insert("Chart.yaml".to_owned(), text.into_bytes());
    }
    files.insert("values.yaml".to_owned(), values.into_bytes());
    files.insert(
        "templates/_own.tpl".to_owned(),
        b"{{ define \"fleet.own\" }}{{ .Chart.Name }}/{{ .Values.global.region }}{{ end }}".to_vec(),
    );
    files.insert(
        "templates/own.yaml".to_owned(),
        b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-own\ndata:\n  own: {{ include \"fleet.own\" . }}\n  text: {{ .Values.own.text }}\n".to_vec(),
    );
    files.insert("templates/NOTES.txt".to_owned(), b"Notes of {{ .Release.Name }}.\n".to_vec());
    let second = "own: {text: from-the-second-layer}\n".to_owned();
    Umbrella { files, layers: vec![layer, second] }
}

impl Umbrella {
    /// The input that all engines get.
    pub(super) fn input(&self) -> RenderInput {
        RenderInput {
            release: "rel".to_owned(),
            namespace: "space".to_owned(),
            layers: self
                .layers
                .iter()
                .map(|layer| Values::parse(layer.as_bytes()).expect("a layer"))
                .collect(),
            ..RenderInput::default()
        }
    }

    /// What the engine makes of it.
    pub(super) fn render(&self, compat: Compat) -> Vec<u8> {
        Engine::new(compat).render(&self.chart(), &self.input()).expect("a render").to_helm_output()
    }

    /// The umbrella as a chart.
    pub(super) fn chart(&self) -> Chart {
        super::chart(&self.files)
    }
}
