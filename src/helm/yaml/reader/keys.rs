//! Keys of maps: what they are as texts, what they merge in, and the pairs they make.

use std::borrow::Cow;

use super::scalar::{Key, described_key, key_error, plain_error, plain_key, scalar};
use super::{Anchors, Build, Mark, Phase, Properties, Read, Reader, SeenKey};
use crate::value::Text;
use crate::yaml::YamlError;
use crate::yaml::scanner::Kind;

impl<'a> Reader<'a> {
    /// Reads a key, and notes that what follows stands below it.
    pub(super) fn key<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        empty: bool,
        block: bool,
        depth: usize,
    ) -> Read<(Key, Mark)> {
        let (key, mark) = self.key_alone(anchors, empty, block, depth)?;
        if let Some(noted) = &mut self.noted {
            noted.trail.push(if let Key::Text(text) = &key { text.clone() } else { Text::from("<<") });
        }
        Ok((key, mark))
    }

    /// Reads a key: the string that JSON gets, null, or the merge key.
    fn key_alone<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        empty: bool,
        block: bool,
        depth: usize,
    ) -> Read<(Key, Mark)> {
        let token = self.scanner.peek()?;
        let (start, is_scalar) = (token.start, matches!(token.kind, Kind::Scalar(..)));
        let alias = if let Kind::Alias(name) = token.kind { Some(name) } else { None };
        self.last = start;
        self.count(start, 1)?;
        if empty {
            return Ok((Key::Null, start));
        }
        if is_scalar && let Kind::Scalar(text, plain) = self.scanner.next()?.kind {
            let key = if plain { plain_key(&text) } else { Key::Text(Text::from(&*text)) };
            return Ok((key, start));
        }
        let key = if let Some(name) = alias {
            self.scanner.next()?;
            self.alias(anchors, name, start)?
        } else {
            let properties = self.properties()?;
            if matches!(self.scanner.peek()?.kind, Kind::Scalar(..))
                && let Kind::Scalar(text, plain) = self.scanner.next()?.kind
            {
                return Ok((self.described_key(anchors, &properties, &text, plain, start), start));
            }
            self.described::<N>(anchors, &properties, (block, block), depth + 1, start)?
        };
        match key.string().or_else(|| key.shown_scalar().map(Text::from)) {
            Some(text) => Ok((Key::Text(text), start)),
            None if key.is_null() => Ok((Key::Null, start)),
            None => {
                self.complain(Phase::Decode, plain_error(start, format!("invalid map key: {}", key.shown())));
                Ok((Key::Text(Text::from("")), start))
            }
        }
    }

    /// The key that a scalar behind a tag or an anchor makes, which an alias may stand for.
    fn described_key<N: Build>(
        &mut self,
        anchors: &mut Anchors<'a, N>,
        properties: &Properties<'a>,
        text: &[u8],
        plain: bool,
        mark: Mark,
    ) -> Key {
        let tag = properties.tag.as_deref();
        if let Some(anchor) = properties.anchor {
            let node = scalar(tag, Cow::Borrowed(text), plain, mark).unwrap_or_else(|_| N::null());
            anchors.known.insert(anchor, (node, 1));
        }
        described_key(tag, text, plain, mark).unwrap_or_else(|error| {
            self.complain(Phase::Decode, error);
            Key::Text(Text::from(""))
        })
    }

    pub(super) fn add_pair<N: Build>(
        &mut self,
        pairs: &mut Vec<(Text, N)>,
        (key, mark): (Key, Mark),
        value: N,
    ) -> Read<()> {
        if let Some(noted) = &mut self.noted {
            let path = noted.trail.clone();
            noted.trail.pop();
            // What is merged in may well be there already.
            let Key::Text(text) = &key else {
                return Ok(());
            };
            let repeated = pairs.iter().any(|(known, _)| known == text);
            noted.keys.push(SeenKey { path, line: mark.line + 1, column: mark.column + 1, repeated });
        }
        let key = match key {
            Key::Text(key) => key,
            Key::Merge => {
                if let Err(error) = merge(pairs, &value, mark) {
                    self.complain(Phase::Decode, error);
                }
                return Ok(());
            }
            Key::Null => {
                self.complain(Phase::Keys, key_error(mark, None, &value.shown()));
                return Ok(());
            }
            Key::Uint(number) => {
                self.complain(Phase::Keys, key_error(mark, Some(number), &value.shown()));
                return Ok(());
            }
        };
        if self.strict && pairs.iter().any(|(known, _)| *known == key) {
            let message = format!("key {:?} already set in map", key.lossy());
            let helm = format!("yaml: unmarshal errors:\n  line {}: {message}", mark.line + 1);
            return Err(YamlError::at(mark.line + 1, mark.column + 1, message, helm));
        }
        pairs.push((key, value));
        Ok(())
    }
}

fn merge<N: Build>(pairs: &mut Vec<(Text, N)>, value: &N, mark: Mark) -> Read<()> {
    let problem = || plain_error(mark, "map merge requires map or sequence of maps as the value".to_owned());
    if let Some(merged) = value.pairs() {
        pairs.extend(merged);
        return Ok(());
    }
    for item in value.items().ok_or_else(problem)?.iter().rev() {
        pairs.extend(item.pairs().ok_or_else(problem)?);
    }
    Ok(())
}
