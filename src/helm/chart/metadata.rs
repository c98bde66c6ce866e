//! `Chart.yaml` and `requirements.yaml`: what a chart says of itself.

use serde_json::Value as Json;

use super::decode::{self, Misfit, Spot, flag, sanitize, structs, text, text_map, texts};
use super::dependency::{Dependency, dependencies, lists_dependencies};
use crate::dependencies::json_text;
use crate::functions::semver::Version;
use crate::value::object::Record;
use crate::value::{Map, Object, Text, Value, convert};

/// The contents of `Chart.yaml`.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) sources: Vec<String>,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) keywords: Vec<String>,
    pub(crate) maintainers: Vec<Maintainer>,
    pub(crate) icon: String,
    pub(crate) api_version: String,
    pub(crate) condition: String,
    pub(crate) tags: String,
    pub(crate) app_version: String,
    pub(crate) deprecated: bool,
    pub(crate) annotations: Vec<(String, String)>,
    pub(crate) kube_version: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Whether there is a list of dependencies, be it an empty one.
    pub(crate) lists_dependencies: bool,
    pub(crate) kind: String,
    pub(crate) empty_maintainer: bool,
    pub(crate) empty_dependency: bool,
}

/// Who keeps a chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maintainer {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) url: String,
}

impl Metadata {
    /// Reads the parsed `Chart.yaml`.
    pub(crate) fn from_json(json: &Json) -> Result<Self, Misfit> {
        if !matches!(json, Json::Object(_) | Json::Null) {
            return Err(Misfit::document(json, "loader.chartBase", "chart.Metadata"));
        }
        let top = Spot::top("Metadata");
        let text = |field: &str| text(json, &top, field);
        // In the order of JSON's keys: the first misfit is the one that is named.
        let mut metadata = Self {
            annotations: text_map(json, &top, "annotations")?,
            api_version: text("apiVersion")?,
            app_version: text("appVersion")?,
            condition: text("condition")?,
            ..Self::default()
        };
        let lists_dependencies = lists_dependencies(json);
        let dependencies = dependencies(json)?;
        metadata.deprecated = flag(json, &top, "deprecated")?;
        metadata.description = text("description")?;
        metadata.home = text("home")?;
        metadata.icon = text("icon")?;
        metadata.keywords = texts(json, &top, "keywords")?;
        metadata.kube_version = text("kubeVersion")?;
        let maintainers = structs(json, &top, "maintainers", "Maintainer", |item, spot| {
            Ok(Maintainer {
                email: decode::text(item, spot, "email")?,
                name: decode::text(item, spot, "name")?,
                url: decode::text(item, spot, "url")?,
            })
        })?;
        metadata.empty_maintainer = maintainers.iter().any(Option::is_none);
        metadata.maintainers = maintainers.into_iter().flatten().collect();
        metadata.name = text("name")?;
        metadata.sources = texts(json, &top, "sources")?;
        metadata.tags = text("tags")?;
        metadata.kind = text("type")?;
        metadata.version = text("version")?;
        metadata.take_dependencies(dependencies, lists_dependencies);
        metadata.sanitize();
        Ok(metadata)
    }

    /// Takes over what `Chart.yaml` or `requirements.yaml` lists.
    pub(crate) fn take_dependencies(&mut self, listed: Vec<Option<Dependency>>, is_list: bool) {
        self.lists_dependencies = is_list;
        self.empty_dependency = listed.iter().any(Option::is_none);
        self.dependencies = listed.into_iter().flatten().collect();
    }

    /// Takes what cannot be printed out of the texts.
    fn sanitize(&mut self) {
        let texts = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        for text in texts.into_iter().chain(&mut self.sources).chain(&mut self.keywords) {
            sanitize(text);
        }
        for maintainer in &mut self.maintainers {
            for text in [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url] {
                sanitize(text);
            }
        }
    }

    /// Checks what Helm checks; the error is its message.
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.api_version.is_empty() {
            return Err("validation: chart.metadata.apiVersion is required".to_owned());
        }
        if self.name.is_empty() {
            return Err("validation: chart.metadata.name is required".to_owned());
        }
        if self.name.rsplit('/').next() != Some(self.name.as_str()) {
            return Err(format!(
                "validation: chart.metadata.name {} is invalid",
                convert::quote(self.name.as_bytes())
            ));
        }
        if self.version.is_empty() {
            return Err("validation: chart.metadata.version is required".to_owned());
        }
        if Version::parse(&self.version).is_err() {
            return Err(format!(
                "validation: chart.metadata.version {} is invalid",
                convert::quote(self.version.as_bytes())
            ));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return Err("validation: chart.metadata.type must be application or library".to_owned());
        }
        if self.empty_maintainer {
            return Err("validation: maintainers must not contain empty or null nodes".to_owned());
        }
        if self.empty_dependency {
            return Err("validation: dependencies must not contain empty or null nodes".to_owned());
        }
        let mut seen: Vec<&str> = Vec::new();
        for dependency in &self.dependencies {
            if let Some(alias) = &dependency.alias
                && !alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            {
                return Err(format!(
                    "validation: dependency {} has disallowed characters in the alias",
                    convert::quote(dependency.name.as_bytes())
                ));
            }
            let key = dependency.key();
            if seen.contains(&key) {
                return Err(format!(
                    "validation: more than one dependency with name or alias {}",
                    convert::quote(key.as_bytes())
                ));
            }
            seen.push(key);
        }
        Ok(())
    }

    /// What only Helm 4 refuses; the error is its message.
    pub(crate) fn validate_for_v4(&self) -> Result<(), String> {
        if matches!(self.name.as_str(), "." | "..") {
            let name = convert::quote(self.name.as_bytes());
            return Err(format!("validation: chart.metadata.name {name} is not allowed"));
        }
        Ok(())
    }

    /// The value of `.Chart` in Helm 4: Go's field names; Helm 3 has a struct of the same fields.
    pub(crate) fn to_value(&self, name: &str, dependencies: &[Dependency], is_root: bool) -> Map {
        let texts =
            |items: &[String]| Value::list(items.iter().map(|item| Value::text(item.as_str())).collect());
        let maintainers = self
            .maintainers
            .iter()
            .map(|maintainer| {
                Value::Map(Map::from_pairs([
                    ("Name", Value::text(maintainer.name.as_str())),
                    ("Email", Value::text(maintainer.email.as_str())),
                    ("URL", Value::text(maintainer.url.as_str())),
                ]))
            })
            .collect();
        let annotations = self
            .annotations
            .iter()
            .map(|(key, value)| (Text::from(key.as_str()), Text::from(value.as_str())))
            .collect::<Vec<_>>();
        Map::from_pairs([
            ("Name", Value::text(name)),
            ("Home", Value::text(self.home.as_str())),
            ("Sources", texts(&self.sources)),
            ("Version", Value::text(self.version.as_str())),
            ("Description", Value::text(self.description.as_str())),
            ("Keywords", texts(&self.keywords)),
            ("Maintainers", Value::list(maintainers)),
            ("Icon", Value::text(self.icon.as_str())),
            ("APIVersion", Value::text(self.api_version.as_str())),
            ("Condition", Value::text(self.condition.as_str())),
            ("Tags", Value::text(self.tags.as_str())),
            ("AppVersion", Value::text(self.app_version.as_str())),
            ("Deprecated", Value::Bool(self.deprecated)),
            ("Annotations", Value::TextMap(std::rc::Rc::new(annotations))),
            ("KubeVersion", Value::text(self.kube_version.as_str())),
            ("Dependencies", Value::list(dependencies.iter().map(dependency_value).collect())),
            ("Type", Value::text(self.kind.as_str())),
            ("IsRoot", Value::Bool(is_root)),
        ])
    }
}

/// The names of `.Chart`'s fields in Go and in JSON, in Go's order.
const STRUCT_FIELDS: [(&str, &str); 18] = [
    ("Name", "name"),
    ("Home", "home"),
    ("Sources", "sources"),
    ("Version", "version"),
    ("Description", "description"),
    ("Keywords", "keywords"),
    ("Maintainers", "maintainers"),
    ("Icon", "icon"),
    ("APIVersion", "apiVersion"),
    ("Condition", "condition"),
    ("Tags", "tags"),
    ("AppVersion", "appVersion"),
    ("Deprecated", "deprecated"),
    ("Annotations", "annotations"),
    ("KubeVersion", "kubeVersion"),
    ("Dependencies", "dependencies"),
    ("Type", "type"),
    ("IsRoot", "IsRoot"),
];

/// The value of `.Chart` in Helm 3: a struct.
pub(crate) fn as_struct(fields: &Map) -> Value {
    const JSON_NAMES: [&str; 18] = {
        let mut names = [""; 18];
        let mut index = 0;
        while index < names.len() {
            names[index] = STRUCT_FIELDS[index].1;
            index += 1;
        }
        names
    };
    let fields = STRUCT_FIELDS
        .iter()
        .map(|(name, _)| {
            let value = fields.get(name.as_bytes()).unwrap_or(Value::Nil);
            (
                *name,
                match *name {
                    "Dependencies" => as_structs(&value, &DEPENDENCY_STRUCT),
                    "Maintainers" => as_structs(&value, &MAINTAINER_STRUCT),
                    _ => value,
                },
            )
        })
        .collect();
    Value::object(Object::Record(Record {
        type_name: "struct { chart.Metadata; IsRoot bool }",
        pointer: false,
        fields,
        json_names: &JSON_NAMES,
        omits_empty: true,
        methods: Vec::new(),
        shown: None,
        plain: None,
    }))
}

/// A struct inside of `.Chart`.
struct InnerStruct {
    type_name: &'static str,
    /// In Go's order.
    fields: &'static [&'static str],
    json_names: &'static [&'static str],
}

const DEPENDENCY_STRUCT: InnerStruct = InnerStruct {
    type_name: "*chart.Dependency",
    fields: &["Name", "Version", "Repository", "Condition", "Tags", "Enabled", "ImportValues", "Alias"],
    json_names: &["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"],
};

const MAINTAINER_STRUCT: InnerStruct = InnerStruct {
    type_name: "*chart.Maintainer",
    fields: &["Name", "Email", "URL"],
    json_names: &["name", "email", "url"],
};

/// A list of maps as Helm 3 has it: pointers to structs.
fn as_structs(list: &Value, kind: &InnerStruct) -> Value {
    let record = |item: &Value| {
        let Value::Map(map) = item else { return item.clone() };
        let field = |name: &&'static str| (*name, map.get(name.as_bytes()).unwrap_or(Value::Nil));
        Value::object(Object::Record(Record {
            type_name: kind.type_name,
            pointer: true,
            fields: kind.fields.iter().map(field).collect(),
            json_names: kind.json_names,
            omits_empty: true,
            methods: Vec::new(),
            shown: None,
            plain: None,
        }))
    };
    Value::list(list.items().unwrap_or_default().iter().map(record).collect())
}

/// What is left of an import once it is done: where from and where to. Other things than names and maps are gone.
fn import_value(import: &Json) -> Option<Value> {
    let (child, parent) = match import {
        Json::String(name) => (format!("exports.{name}"), ".".to_owned()),
        Json::Object(map) => (json_text(map.get("child")), json_text(map.get("parent"))),
        _ => return None,
    };
    let pairs = [("child", child), ("parent", parent)];
    let texts = pairs.map(|(key, value)| (Text::from(key), Text::from(value))).to_vec();
    Some(Value::TextMap(std::rc::Rc::new(texts)))
}

fn dependency_value(dependency: &Dependency) -> Value {
    let tags = dependency.tags.iter().map(|tag| Value::text(tag.as_str())).collect();
    let imports = dependency.import_values.iter().filter_map(import_value);
    Value::Map(Map::from_pairs([
        ("Name", Value::text(dependency.key())),
        ("Version", Value::text(dependency.version.as_str())),
        ("Repository", Value::text(dependency.repository.as_str())),
        ("Condition", Value::text(dependency.condition.as_str())),
        ("Tags", Value::list(tags)),
        ("Enabled", Value::Bool(true)),
        ("ImportValues", Value::list(imports.collect())),
        ("Alias", Value::text(dependency.alias.as_deref().unwrap_or(""))),
    ]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Chart, Compat, Engine, RenderInput, Values};

    /// What a template with `text` makes in a chart with one dependency, and what is noticed.
    fn rendered(chart: &str, requirements: &str, compat: Compat, text: &str) -> (String, Vec<String>) {
        let files = [
            ("Chart.yaml", chart),
            ("requirements.yaml", requirements),
            ("values.yaml", "a: {b: 1}\n"),
            ("templates/t.yaml", text),
            ("charts/l/Chart.yaml", "apiVersion: v2\nname: l\nversion: 0.2.0\n"),
            ("charts/l/values.yaml", "exports: {x: {y: 1}}\n"),
        ];
        let files = files.into_iter().filter(|(_, text)| !text.is_empty());
        let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
        let chart = Chart::from_files(files).expect("a chart");
        let layers = vec![Values::parse_as(b"a: {b: {c: 1}}", compat).expect("values")];
        let input = RenderInput { layers, ..RenderInput::default() };
        let rendered = Engine::new(compat).render(&chart, &input).expect("a render");
        (
            rendered.documents.first().map(|document| document.text.clone()).unwrap_or_default(),
            rendered.notices,
        )
    }

    #[test]
    fn dependencies_and_maintainers_are_structs_in_helm_3() {
        let chart = "apiVersion: v2\nname: c\nversion: 0.1.0\nmaintainers:\n- name: m\n  email: e\ndependencies:\n- name: l\n  version: 0.2.0\n  import-values: [x, 1]\n";
        let text = "d: {{ .Chart.Dependencies | toJson }}\nm: {{ .Chart.Maintainers | toJson }}";
        let (third, _) = rendered(chart, "", Compat::V3_19, text);
        assert_eq!(
            third,
            r#"d: [{"name":"l","version":"0.2.0","repository":"","enabled":true,"import-values":[{"child":"exports.x","parent":"."}]}]
m: [{"name":"m","email":"e"}]"#
        );
        let (fourth, _) = rendered(chart, "", Compat::V4_3, text);
        let imports = r#""ImportValues":[{"child":"exports.x","parent":"."}]"#;
        assert!(fourth.contains(imports), "{fourth}");
    }

    #[test]
    fn an_empty_list_of_dependencies_is_a_list() {
        let chart = "apiVersion: v1\nname: c\nversion: 0.1.0\n";
        for (requirements, times) in [("dependencies: []", 2), ("dependencies: null", 1), ("{}", 1)] {
            let (_, notices) = rendered(chart, requirements, Compat::V4_3, "a: 1");
            assert_eq!(notices.len(), times, "{requirements}: {notices:?}");
        }
    }
}
