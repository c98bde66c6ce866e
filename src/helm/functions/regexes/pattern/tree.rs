//! The tree of a regular expression, and how the `regex` crate wants it written.

use super::class::Set;

/// Switches inside a pattern.
#[expect(clippy::struct_excessive_bools, reason = "RE2 has four switches")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) fold: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
    pub(super) ungreedy: bool,
}

/// What matches by itself.
#[derive(Debug)]
pub(super) enum Piece {
    /// A character, and whether its case counts for nothing.
    Literal(char, bool),
    Class {
        set: Vec<Set>,
        negated: bool,
        fold: bool,
    },
    Any,
    AnyButLine,
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

/// A part of a pattern.
#[derive(Debug)]
pub(super) enum Node {
    Piece(Piece),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    Capture(Box<Node>),
    Group(Box<Node>),
    Repeat { inner: Box<Node>, least: u32, most: Option<u32>, greedy: bool, counted: bool },
}

impl Node {
    /// Nodes in a row.
    pub(super) fn concat(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1
            && let Some(only) = nodes.pop()
        {
            return only;
        }
        Self::Concat(nodes)
    }

    /// How deep it nests.
    pub(super) fn height(&self) -> usize {
        match self {
            Self::Piece(_) => 1,
            Self::Concat(nodes) | Self::Alternate(nodes) => {
                1 + nodes.iter().map(Self::height).max().unwrap_or(0)
            }
            Self::Group(inner) => inner.height(),
            Self::Capture(inner) | Self::Repeat { inner, .. } => 1 + inner.height(),
        }
    }

    /// Whether counted repeats inside each other stay below a bound.
    pub(super) fn repeats_within(&self, bound: u32) -> bool {
        match self {
            Self::Piece(_) => true,
            Self::Concat(nodes) | Self::Alternate(nodes) => {
                nodes.iter().all(|node| node.repeats_within(bound))
            }
            Self::Capture(inner) | Self::Group(inner) => inner.repeats_within(bound),
            Self::Repeat { inner, least, most, counted, .. } => {
                let times = most.unwrap_or(*least);
                if !counted {
                    return inner.repeats_within(bound);
                }
                if *most == Some(0) {
                    return true;
                }
                times <= bound && inner.repeats_within(bound.checked_div(times).unwrap_or(bound))
            }
        }
    }

    /// Writes the part in the syntax of the `regex` crate.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Piece(piece) => piece.write(out),
            Self::Concat(nodes) => nodes.iter().for_each(|node| match node {
                Self::Alternate(_) => write_group(node, "(?:", out),
                _ => node.write(out),
            }),
            Self::Alternate(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push('|');
                    }
                    node.write(out);
                }
            }
            Self::Capture(inner) => write_group(inner, "(", out),
            Self::Group(inner) => write_group(inner, "(?:", out),
            Self::Repeat { inner, least, most, greedy, counted } => {
                match &**inner {
                    Self::Piece(_) | Self::Capture(_) | Self::Group(_) => inner.write(out),
                    _ => write_group(inner, "(?:", out),
                }
                match (least, most) {
                    (0, None) if !counted => out.push('*'),
                    (1, None) if !counted => out.push('+'),
                    (0, Some(1)) if !counted => out.push('?'),
                    (least, None) => out.push_str(&format!("{{{least},}}")),
                    (least, Some(most)) if least == most => out.push_str(&format!("{{{least}}}")),
                    (least, Some(most)) => out.push_str(&format!("{{{least},{most}}}")),
                }
                if !greedy {
                    out.push('?');
                }
            }
        }
    }
}

fn write_group(inner: &Node, opening: &str, out: &mut String) {
    out.push_str(opening);
    inner.write(out);
    out.push(')');
}

impl Piece {
    fn write(&self, out: &mut String) {
        match self {
            Self::Literal(character, fold) => {
                let fold = *fold && character.is_alphabetic();
                if fold {
                    out.push_str("(?i:");
                }
                write_literal(*character, out);
                if fold {
                    out.push(')');
                }
            }
            Self::Class { set, negated, fold } => {
                if *fold {
                    out.push_str("(?i:");
                }
                out.push_str(if *negated { "[^" } else { "[" });
                set.iter().for_each(|part| part.write(out));
                out.push(']');
                if *fold {
                    out.push(')');
                }
            }
            Self::Any => out.push_str("(?s:.)"),
            Self::AnyButLine => out.push('.'),
            Self::TextStart => out.push_str("\\A"),
            Self::TextEnd => out.push_str("\\z"),
            Self::LineStart => out.push_str("(?m:^)"),
            Self::LineEnd => out.push_str("(?m:$)"),
            Self::WordBoundary => out.push_str("(?-u:\\b)"),
            Self::NoWordBoundary => out.push_str("(?-u:\\B)"),
        }
    }
}

/// A character that stands for itself.
pub(super) fn write_literal(character: char, out: &mut String) {
    if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
        out.push('\\');
        out.push(character);
    } else if character.is_control() {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(character)));
    } else {
        out.push(character);
    }
}
