//! Reads the keywords of a schema and of all that it leads to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use foldhash::HashMap;

use super::address::{Place, below, encode, escape_token, is_pointer, join, split_fragment};
use super::documents::{Documents, Found, Refusal};
use super::draft::Draft;
use super::format::Format;
use super::json::{Json, Kind};
use super::node::{
    Additional, Combination, Dependency, ListRules, Node, NodeId, NumberRules, ObjectRules, TextRules,
};
use super::number::Decimal;
use crate::functions::regexes::LazyRegex;
use crate::value::convert::quote;

/// A schema and those that it leads to.
#[derive(Debug)]
pub(super) struct Nodes(pub(super) Vec<Node>);

/// A schema with more schemas than this is not read.
const MOST: usize = 200_000;

/// Reads the schemas at some places; their nodes are the first ones.
pub(super) fn compile(documents: &mut Documents, places: &[Place], formats_count: bool) -> Found<Nodes> {
    let mut compiler = Compiler {
        documents,
        formats_count,
        nodes: Vec::new(),
        known: HashMap::default(),
        waiting: VecDeque::new(),
    };
    for place in places {
        compiler.node(place.clone());
    }
    while let Some(id) = compiler.waiting.pop_front() {
        compiler.read(id)?;
        if compiler.nodes.len() > MOST {
            return Err(format!("schema consists of more than {MOST} schemas").into());
        }
    }
    Ok(Nodes(compiler.nodes))
}

struct Compiler<'d> {
    documents: &'d mut Documents,
    /// Whether `format` counts in drafts in which it is a remark.
    formats_count: bool,
    nodes: Vec<Node>,
    known: HashMap<Place, NodeId>,
    waiting: VecDeque<NodeId>,
}

impl Compiler<'_> {
    /// The node of a place; it is read later.
    fn node(&mut self, place: Place) -> NodeId {
        if let Some(id) = self.known.get(&place) {
            return *id;
        }
        let id = self.nodes.len();
        self.nodes.push(Node::new(place.clone()));
        self.known.insert(place, id);
        self.waiting.push_back(id);
        id
    }

    fn read(&mut self, id: NodeId) -> Found<()> {
        let Some(place) = self.nodes.get(id).map(|node| node.place.clone()) else { return Ok(()) };
        self.documents.ensure(&place)?;
        let document = self.documents.get(&place.url)?;
        let json = Arc::clone(&document.json);
        let value = place.find(&json)?;
        let Some(resource) = document.resource(&place.pointer).cloned() else { return Ok(()) };
        let mut node = Node::new(place.clone());
        node.draft = resource.draft;
        let base = Place::new(&place.url, &resource.pointer);
        if node.draft >= Draft::Draft2020 && base == place {
            for name in &resource.dynamic_anchors {
                if let Some(pointer) = resource.anchors.get(name) {
                    let anchored = self.node(Place::new(&place.url, pointer));
                    node.references.dynamic_anchors.insert(name.clone(), anchored);
                }
            }
        }
        node.resource = self.node(base);
        match value {
            Json::Bool(flag) => node.verdict = Some(*flag),
            Json::Map(map) if map.is_empty() => node.verdict = Some(true),
            Json::Map(map) => {
                let mut keywords = Keywords { compiler: self, map, place: &place, base: &resource.id };
                keywords.read(&mut node)?;
            }
            _ => {}
        }
        if let Some(slot) = self.nodes.get_mut(id) {
            *slot = node;
        }
        Ok(())
    }
}

/// The keywords of one schema.
struct Keywords<'k, 'd> {
    compiler: &'k mut Compiler<'d>,
    map: &'k BTreeMap<String, Json>,
    place: &'k Place,
    /// The URL of the resource around.
    base: &'k str,
}

impl<'k> Keywords<'k, '_> {
    fn read(&mut self, node: &mut Node) -> Found<()> {
        node.references.plain = self.reference("$ref")?;
        if node.draft < Draft::Draft2019 && node.references.plain.is_some() {
            return Ok(());
        }
        node.combination = self.combination(node.draft);
        node.object = self.object(node.draft)?;
        node.list = self.list(node.draft);
        node.types = self.types();
        node.choices = self.items("enum").map(<[Json]>::to_vec);
        node.constant = self.map.get("const").filter(|_| node.draft >= Draft::Draft6).cloned();
        node.number = self.numbers();
        node.text = self.texts()?;
        if node.draft < Draft::Draft2019 || self.compiler.formats_count {
            node.format = self.text("format").and_then(Format::named);
        }
        if node.draft >= Draft::Draft2019 {
            node.references.recursive = self.reference("$recursiveRef")?;
            node.references.recursive_anchor = self.flag("$recursiveAnchor") == Some(true);
            node.unevaluated_items = self.schema("unevaluatedItems");
            node.unevaluated_properties = self.schema("unevaluatedProperties");
        }
        if node.draft >= Draft::Draft2020 {
            if let Some(target) = self.reference("$dynamicRef")? {
                let (_, fragment) = split_fragment(self.text("$dynamicRef").unwrap_or(""))?;
                node.references.dynamic = Some((target, (!is_pointer(&fragment)).then_some(fragment)));
            }
            node.references.dynamic_anchor = self.text("$dynamicAnchor").map(str::to_owned);
        }
        Ok(())
    }

    fn combination(&mut self, draft: Draft) -> Option<Box<Combination>> {
        const WORDS: [&str; 5] = ["allOf", "anyOf", "oneOf", "not", "if"];
        if !WORDS.iter().any(|word| self.map.contains_key(*word)) {
            return None;
        }
        let mut rules = Combination {
            all: self.schemas("allOf"),
            any: self.schemas("anyOf"),
            one: self.schemas("oneOf"),
            not: self.schema("not"),
            ..Combination::default()
        };
        if draft >= Draft::Draft7 {
            rules.condition = self.schema("if");
            if rules.condition.is_some() {
                let known = self.flag("if");
                rules.then = if known == Some(false) { None } else { self.schema("then") };
                rules.otherwise = if known == Some(true) { None } else { self.schema("else") };
            }
        }
        Some(Box::new(rules))
    }

    fn object(&mut self, draft: Draft) -> Found<Option<Box<ObjectRules>>> {
        let mut rules = ObjectRules {
            least: self.count("minProperties"),
            most: self.count("maxProperties"),
            required: self.items("required").map(texts).unwrap_or_default(),
            properties: self.named("properties"),
            ..ObjectRules::default()
        };
        for (pattern, schema) in self.named("patternProperties") {
            rules.patterns.push((self.pattern("patternProperties", &pattern)?, schema));
        }
        rules.additional = self.additional("additionalProperties");
        let map = self.map;
        if let Some(dependencies) = map.get("dependencies").and_then(Json::as_map) {
            for (name, needed) in dependencies {
                let dependency = match needed {
                    Json::List(names) => Dependency::Names(texts(names)),
                    _ => Dependency::Schema(self.inner("dependencies", name)),
                };
                rules.dependencies.insert(name.clone(), dependency);
            }
        }
        if draft >= Draft::Draft6 {
            rules.names = self.schema("propertyNames");
        }
        if draft >= Draft::Draft2019 {
            if let Some(needed) = map.get("dependentRequired").and_then(Json::as_map) {
                let lists =
                    needed.iter().filter_map(|(name, list)| Some((name.clone(), texts(list.as_list()?))));
                rules.dependent_required = lists.collect();
            }
            rules.dependent_schemas = self.named("dependentSchemas");
        }
        let says_something = rules.least.is_some()
            || rules.most.is_some()
            || rules.additional.is_some()
            || rules.names.is_some()
            || !rules.required.is_empty()
            || !rules.dependencies.is_empty()
            || !rules.properties.is_empty()
            || !rules.patterns.is_empty()
            || !rules.dependent_schemas.is_empty()
            || !rules.dependent_required.is_empty();
        Ok(says_something.then(|| Box::new(rules)))
    }

    fn list(&mut self, draft: Draft) -> Option<Box<ListRules>> {
        const WORDS: [&str; 8] = [
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
            "minContains",
            "maxContains",
        ];
        if !WORDS.iter().any(|word| self.map.contains_key(*word)) {
            return None;
        }
        let mut rules = ListRules {
            least: self.count("minItems"),
            most: self.count("maxItems"),
            unique: self.flag("uniqueItems") == Some(true),
            ..ListRules::default()
        };
        if draft >= Draft::Draft2020 {
            rules.first = self.schemas("prefixItems");
            rules.rest = self.schema("items").map(Additional::Schema);
        } else if self.items("items").is_some() {
            rules.first = self.schemas("items");
            rules.rest = self.additional("additionalItems");
        } else {
            rules.rest = self.schema("items").map(Additional::Schema);
        }
        if draft >= Draft::Draft6 {
            rules.contains = self.schema("contains");
        }
        if draft >= Draft::Draft2019 {
            rules.least_contained = self.count("minContains");
            rules.most_contained = self.count("maxContains");
        }
        Some(Box::new(rules))
    }

    fn types(&self) -> Vec<Kind> {
        let names: Vec<&str> = match self.map.get("type") {
            Some(Json::Text(name)) => vec![name],
            Some(Json::List(names)) => names.iter().filter_map(Json::as_text).collect(),
            _ => return Vec::new(),
        };
        Kind::ALL.into_iter().filter(|kind| names.contains(&kind.name())).collect()
    }

    fn numbers(&self) -> Option<Box<NumberRules>> {
        let mut rules = NumberRules {
            minimum: self.number("minimum"),
            maximum: self.number("maximum"),
            exclusive_minimum: self.number("exclusiveMinimum"),
            exclusive_maximum: self.number("exclusiveMaximum"),
            multiple_of: self.number("multipleOf"),
        };
        if self.flag("exclusiveMinimum") == Some(true) {
            rules.exclusive_minimum = rules.minimum.take();
        }
        if self.flag("exclusiveMaximum") == Some(true) {
            rules.exclusive_maximum = rules.maximum.take();
        }
        let bounds = [
            &rules.minimum,
            &rules.maximum,
            &rules.exclusive_minimum,
            &rules.exclusive_maximum,
            &rules.multiple_of,
        ];
        bounds.iter().any(|bound| bound.is_some()).then(|| Box::new(rules))
    }

    fn texts(&self) -> Found<Option<Box<TextRules>>> {
        let pattern = self.text("pattern").map(|pattern| self.pattern("pattern", pattern)).transpose()?;
        let rules = TextRules { least: self.count("minLength"), most: self.count("maxLength"), pattern };
        let says_something = rules.least.is_some() || rules.most.is_some() || rules.pattern.is_some();
        Ok(says_something.then(|| Box::new(rules)))
    }

    fn pattern(&self, keyword: &str, pattern: &str) -> Found<LazyRegex> {
        LazyRegex::new(pattern).map_err(|message| {
            let keyword = encode(&escape_token(keyword));
            let place = quote(format!("{}/{keyword}", self.place).as_bytes());
            Refusal::Message(format!("invalid regex {} at {place}: {message}", quote(pattern.as_bytes())))
        })
    }

    fn reference(&mut self, keyword: &str) -> Found<Option<NodeId>> {
        let Some(reference) = self.text(keyword) else { return Ok(None) };
        let (url, fragment) = join(self.base, reference)?;
        let local = self.compiler.documents.get(&self.place.url)?.resolve(&url, &fragment)?;
        let target = match local {
            Some(place) => Ok(place),
            None => self.compiler.documents.resolve(&Arc::from(url.as_str()), &fragment),
        };
        match target {
            Ok(place) => Ok(Some(self.compiler.node(place))),
            // Only the values that come there can be judged by nobody.
            Err(Refusal::Elsewhere(_)) => {
                let id = self.compiler.nodes.len();
                let mut node = Node::new(Place::new(&Arc::from(url.as_str()), &fragment));
                node.resource = id;
                node.elsewhere = Some(reference.to_owned());
                self.compiler.nodes.push(node);
                Ok(Some(id))
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn schema(&mut self, keyword: &str) -> Option<NodeId> {
        self.map.contains_key(keyword).then(|| {
            let place = Place::new(&self.place.url, &below(&self.place.pointer, keyword));
            self.compiler.node(place)
        })
    }

    /// The schema under a name below a keyword.
    fn inner(&mut self, keyword: &str, name: &str) -> NodeId {
        let pointer = below(&below(&self.place.pointer, keyword), name);
        self.compiler.node(Place::new(&self.place.url, &pointer))
    }

    fn schemas(&mut self, keyword: &str) -> Vec<NodeId> {
        let count = self.items(keyword).map_or(0, <[Json]>::len);
        (0..count).map(|index| self.inner(keyword, &index.to_string())).collect()
    }

    fn named(&mut self, keyword: &str) -> BTreeMap<String, NodeId> {
        let Some(map) = self.map.get(keyword).and_then(Json::as_map) else { return BTreeMap::new() };
        map.keys().map(|name| (name.clone(), self.inner(keyword, name))).collect()
    }

    fn additional(&mut self, keyword: &str) -> Option<Additional> {
        match self.flag(keyword) {
            Some(flag) => Some(Additional::Flag(flag)),
            None => self.schema(keyword).map(Additional::Schema),
        }
    }

    fn text(&self, keyword: &str) -> Option<&'k str> {
        self.map.get(keyword)?.as_text()
    }

    fn items(&self, keyword: &str) -> Option<&'k [Json]> {
        self.map.get(keyword)?.as_list()
    }

    fn flag(&self, keyword: &str) -> Option<bool> {
        if let Json::Bool(flag) = self.map.get(keyword)? { Some(*flag) } else { None }
    }

    fn number(&self, keyword: &str) -> Option<Decimal> {
        if let Json::Number(number) = self.map.get(keyword)? { Some(number.decimal()) } else { None }
    }

    fn count(&self, keyword: &str) -> Option<i64> {
        self.number(keyword)?.to_count()
    }
}

fn texts(items: &[Json]) -> Vec<String> {
    items.iter().filter_map(Json::as_text).map(str::to_owned).collect()
}
