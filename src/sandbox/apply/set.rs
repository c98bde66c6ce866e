//! Sets of paths to fields, as managedFields keep them (`fieldsV1`).

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Value};

/// How deep a set may nest.
const DEPTH_LIMIT: usize = 128;

/// One step of a path. Keys and members are canonical JSON, so that equal ones are equal texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    Field(Arc<str>),
    Key(Arc<str>),
    Member(Arc<str>),
    Index(usize),
}

/// A set of paths below one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Set {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    element: Element,
    member: bool,
    children: Set,
}

impl Element {
    pub(super) fn field(name: &str) -> Element {
        Element::Field(name.into())
    }

    fn parse(text: &str) -> Option<Element> {
        let (tag, rest) = text.split_once(':')?;
        match tag {
            "f" => Some(Element::field(rest)),
            "k" => Some(Element::Key(canonical(&serde_json::from_str(rest).ok()?).into())),
            "v" => Some(Element::Member(canonical(&serde_json::from_str(rest).ok()?).into())),
            "i" => Some(Element::Index(rest.parse().ok()?)),
            _ => None,
        }
    }

    fn written(&self) -> String {
        match self {
            Element::Field(name) => format!("f:{name}"),
            Element::Key(text) => format!("k:{text}"),
            Element::Member(text) => format!("v:{text}"),
            Element::Index(index) => format!("i:{index}"),
        }
    }

    /// As in a path for people: `.spec`, `[name="web"]`, `[="a"]`.
    pub(super) fn shown(&self) -> String {
        match self {
            Element::Field(name) => format!(".{name}"),
            Element::Key(text) => {
                let keys: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Element::Member(text) => format!("[={text}]"),
            Element::Index(index) => format!("[{index}]"),
        }
    }
}

/// JSON without spaces, keys sorted.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            key_text(keys.into_iter().map(|(key, value)| (key.as_str(), value)))
        }
        other => other.to_string(),
    }
}

/// The text of a key of an associative list; the pairs come sorted.
pub(super) fn key_text<'v>(pairs: impl Iterator<Item = (&'v str, &'v Value)>) -> String {
    let mut text = String::from("{");
    for (key, value) in pairs {
        if text.len() > 1 {
            text.push(',');
        }
        text.push('"');
        text.push_str(key);
        text.push_str("\":");
        match value {
            Value::String(plain)
                if plain
                    .bytes()
                    .all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') =>
            {
                text.push('"');
                text.push_str(plain);
                text.push('"');
            }
            other => text.push_str(&other.to_string()),
        }
    }
    text.push('}');
    text
}

impl Set {
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn place(&self, element: &Element) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp(element))
    }

    fn node(&self, element: &Element) -> Option<&Node> {
        self.place(element).ok().and_then(|index| self.nodes.get(index))
    }

    fn node_mut(&mut self, element: Element) -> &mut Node {
        let index = match self.place(&element) {
            Ok(index) => index,
            Err(index) => {
                self.nodes.insert(index, Node { element, member: false, children: Set::default() });
                index
            }
        };
        &mut self.nodes[index]
    }

    /// Adds what lies below an element, and the element itself if it is a member.
    pub(super) fn put(&mut self, element: Element, member: bool, children: Set) {
        if !member && children.is_empty() {
            return;
        }
        let node = self.node_mut(element);
        node.member |= member;
        if node.children.is_empty() {
            node.children = children;
        } else {
            node.children = node.children.union(&children);
        }
    }

    pub(super) fn insert(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => self.node_mut(last.clone()).member = true,
            [first, rest @ ..] => self.node_mut(first.clone()).children.insert(rest),
        }
    }

    fn field_node(&self, name: &str) -> Option<&Node> {
        let place = self.nodes.binary_search_by(|node| match &node.element {
            Element::Field(known) => known.as_ref().cmp(name),
            _ => Ordering::Greater,
        });
        place.ok().and_then(|index| self.nodes.get(index))
    }

    pub(super) fn has_field(&self, name: &str) -> bool {
        self.field_node(name).is_some_and(|node| node.member)
    }

    /// What lies below a field.
    pub(super) fn below_field(&self, name: &str) -> Option<&Set> {
        self.field_node(name).map(|node| &node.children).filter(|children| !children.is_empty())
    }

    pub(super) fn has(&self, element: &Element) -> bool {
        self.node(element).is_some_and(|node| node.member)
    }

    pub(super) fn has_path(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.has(last),
            [first, rest @ ..] => self.node(first).is_some_and(|node| node.children.has_path(rest)),
        }
    }

    /// What lies below an element.
    pub(super) fn below(&self, element: &Element) -> Option<&Set> {
        self.node(element).map(|node| &node.children).filter(|children| !children.is_empty())
    }

    pub(super) fn union(&self, other: &Set) -> Set {
        let mut nodes = Vec::with_capacity(self.nodes.len().max(other.nodes.len()));
        let (mut ours, mut theirs) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        loop {
            match (ours.peek(), theirs.peek()) {
                (Some(one), Some(two)) => match one.element.cmp(&two.element) {
                    Ordering::Less => nodes.extend(ours.next().cloned()),
                    Ordering::Greater => nodes.extend(theirs.next().cloned()),
                    Ordering::Equal => {
                        nodes.push(Node {
                            element: one.element.clone(),
                            member: one.member || two.member,
                            children: one.children.union(&two.children),
                        });
                        ours.next();
                        theirs.next();
                    }
                },
                (Some(_), None) => nodes.extend(ours.next().cloned()),
                (None, Some(_)) => nodes.extend(theirs.next().cloned()),
                (None, None) => return Set { nodes },
            }
        }
    }

    fn kept(&self, mut keep: impl FnMut(&Node) -> (bool, Set)) -> Set {
        let nodes = self.nodes.iter().filter_map(|node| {
            let (member, children) = keep(node);
            (member || !children.is_empty()).then(|| Node { element: node.element.clone(), member, children })
        });
        Set { nodes: nodes.collect() }
    }

    /// Without the members of the other; what lies below them stays.
    pub(super) fn difference(&self, other: &Set) -> Set {
        self.kept(|node| match other.node(&node.element) {
            None => (node.member, node.children.clone()),
            Some(gone) => (node.member && !gone.member, node.children.difference(&gone.children)),
        })
    }

    /// Without the members of the other and all that lies below them.
    pub(super) fn without(&self, other: &Set) -> Set {
        self.kept(|node| match other.node(&node.element) {
            None => (node.member, node.children.clone()),
            Some(gone) if gone.member => (false, Set::default()),
            Some(gone) => (node.member, node.children.without(&gone.children)),
        })
    }

    pub(super) fn intersection(&self, other: &Set) -> Set {
        self.kept(|node| match other.node(&node.element) {
            None => (false, Set::default()),
            Some(also) => (node.member && also.member, node.children.intersection(&also.children)),
        })
    }

    /// Makes every element a member that `named` says is a named field and that has something below it; `named`
    /// also says what the elements below are judged by.
    pub(super) fn with_named<S: Copy>(&self, scope: S, named: &impl Fn(S, &Element) -> (bool, S)) -> Set {
        self.kept(|node| {
            let (is_named, inner) = named(scope, &node.element);
            let member = node.member || (is_named && !node.children.is_empty());
            (member, node.children.with_named(inner, named))
        })
    }

    /// Every member's path, in order.
    pub(super) fn paths(&self) -> Vec<Vec<Element>> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, path: &mut Vec<Element>, found: &mut Vec<Vec<Element>>) {
        // A level's members come before what lies below any of them.
        for node in self.nodes.iter().filter(|node| node.member) {
            path.push(node.element.clone());
            found.push(path.clone());
            path.pop();
        }
        for node in &self.nodes {
            path.push(node.element.clone());
            node.children.collect(path, found);
            path.pop();
        }
    }

    /// Reads `fieldsV1`; nothing if it is malformed.
    pub(super) fn parse(fields: &Map<String, Value>) -> Option<Set> {
        Set::parse_level(fields, 0).map(|(_, set)| set)
    }

    fn parse_level(fields: &Map<String, Value>, depth: usize) -> Option<(bool, Set)> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        let mut set = Set { nodes: Vec::with_capacity(fields.len()) };
        let mut member = false;
        let mut entries: Vec<_> = fields.iter().collect();
        entries.sort_by_key(|(key, _)| key.as_str());
        for (key, inner) in entries {
            if key == "." {
                member = true;
                continue;
            }
            // Elements of a kind that is not known are left out, as the API server does.
            let Some(element) = Element::parse(key) else {
                if key.contains(':') {
                    continue;
                }
                return None;
            };
            let (own, children) = match inner.as_object() {
                Some(inner) => Set::parse_level(inner, depth + 1)?,
                None => (true, Set::default()),
            };
            let member = own || children.is_empty();
            let node = set.node_mut(element);
            node.member |= member;
            node.children = children;
        }
        Some((member, set))
    }

    /// As `fieldsV1`.
    pub(super) fn written(&self) -> Value {
        let mut map = Map::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut inner = node.children.written();
            if node.member
                && !node.children.is_empty()
                && let Value::Object(inner) = &mut inner
            {
                inner.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(node.element.written(), inner);
        }
        Value::Object(map)
    }
}
