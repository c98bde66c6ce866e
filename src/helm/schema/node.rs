//! A schema as it is checked: its keywords read, the schemas inside of it as numbers of nodes.

use std::collections::BTreeMap;

use super::address::Place;
use super::draft::Draft;
use super::format::Format;
use super::json::{Json, Kind};
use super::number::Decimal;
use crate::functions::regexes::LazyRegex;

/// The number of a node among those of its schema.
pub(super) type NodeId = usize;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) draft: Draft,
    /// The node of the resource that this one is in.
    pub(super) resource: NodeId,
    /// `true`, `false`, or `{}`, which is `true`.
    pub(super) verdict: Option<bool>,
    /// The address of a schema that only Helm would fetch.
    pub(super) elsewhere: Option<String>,
    pub(super) references: References,
    pub(super) types: Vec<Kind>,
    pub(super) constant: Option<Json>,
    pub(super) choices: Option<Vec<Json>>,
    pub(super) format: Option<Format>,
    pub(super) text: Option<Box<TextRules>>,
    pub(super) number: Option<Box<NumberRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
    pub(super) list: Option<Box<ListRules>>,
    pub(super) combination: Option<Box<Combination>>,
    pub(super) unevaluated_properties: Option<NodeId>,
    pub(super) unevaluated_items: Option<NodeId>,
}

impl Node {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            draft: Draft::LATEST,
            resource: 0,
            verdict: None,
            elsewhere: None,
            references: References::default(),
            types: Vec::new(),
            constant: None,
            choices: None,
            format: None,
            text: None,
            number: None,
            object: None,
            list: None,
            combination: None,
            unevaluated_properties: None,
            unevaluated_items: None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) plain: Option<NodeId>,
    pub(super) recursive: Option<NodeId>,
    pub(super) recursive_anchor: bool,
    /// The target, and the anchor if the reference names one.
    pub(super) dynamic: Option<(NodeId, Option<String>)>,
    pub(super) dynamic_anchor: Option<String>,
    /// Of a resource: its dynamic anchors.
    pub(super) dynamic_anchors: BTreeMap<String, NodeId>,
}

#[derive(Debug, Default)]
pub(super) struct TextRules {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
    pub(super) pattern: Option<LazyRegex>,
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) minimum: Option<Decimal>,
    pub(super) maximum: Option<Decimal>,
    pub(super) exclusive_minimum: Option<Decimal>,
    pub(super) exclusive_maximum: Option<Decimal>,
    pub(super) multiple_of: Option<Decimal>,
}

/// `false`, `true`, or a schema for what no other keyword covers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Additional {
    Flag(bool),
    Schema(NodeId),
}

#[derive(Debug)]
pub(super) enum Dependency {
    Names(Vec<String>),
    Schema(NodeId),
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
    pub(super) required: Vec<String>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
    pub(super) properties: BTreeMap<String, NodeId>,
    pub(super) patterns: Vec<(LazyRegex, NodeId)>,
    pub(super) additional: Option<Additional>,
    pub(super) names: Option<NodeId>,
    pub(super) dependent_schemas: BTreeMap<String, NodeId>,
    pub(super) dependent_required: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default)]
pub(super) struct ListRules {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
    pub(super) unique: bool,
    /// Schemas for the first items.
    pub(super) first: Vec<NodeId>,
    /// For all items, or for those after the first ones.
    pub(super) rest: Option<Additional>,
    pub(super) contains: Option<NodeId>,
    pub(super) least_contained: Option<i64>,
    pub(super) most_contained: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Combination {
    pub(super) not: Option<NodeId>,
    pub(super) all: Vec<NodeId>,
    pub(super) any: Vec<NodeId>,
    pub(super) one: Vec<NodeId>,
    pub(super) condition: Option<NodeId>,
    pub(super) then: Option<NodeId>,
    pub(super) otherwise: Option<NodeId>,
}
