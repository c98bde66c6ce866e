//! Anchors, aliases, tags and directives.

use super::{Kind, Mark, Scan, Scanner, Token};

impl<'a> Scanner<'a> {
    pub(super) fn fetch_anchor(&mut self) -> Scan<()> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark();
        let alias = self.byte(0) == b'*';
        self.position += 1;
        let from = self.position;
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'_' | b'-') {
            self.position += 1;
        }
        let ends = self.is_blankz(0)
            || matches!(self.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if self.position == from || !ends {
            return self.error(start, "did not find expected alphabetic or numeric character");
        }
        let name = self.input.get(from..self.position).unwrap_or(&[]);
        let kind = if alias { Kind::Alias(name) } else { Kind::Anchor(name) };
        self.tokens.push_back(Token { kind, start });
        Ok(())
    }

    pub(super) fn fetch_directive(&mut self) -> Scan<()> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let start = self.mark();
        self.position += 1;
        let from = self.position;
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'_' | b'-') {
            self.position += 1;
        }
        let name = self.input.get(from..self.position).unwrap_or(&[]);
        if name.is_empty() {
            return self.error(start, "could not find expected directive name");
        }
        if !self.is_blankz(0) {
            return self.error(start, "found unexpected non-alphabetical character");
        }
        let kind = match name {
            b"YAML" => self.scan_version(start)?,
            b"TAG" => self.scan_tag_directive(start)?,
            _ => return self.error(start, "found unknown directive name"),
        };
        while self.is_blank(0) {
            self.position += 1;
        }
        if self.byte(0) == b'#' {
            while !self.is_breakz(0) {
                self.position += 1;
            }
        }
        if !self.is_breakz(0) {
            return self.error(start, "did not find expected comment or line break");
        }
        self.skip_line();
        self.tokens.push_back(Token { kind, start });
        Ok(())
    }

    fn scan_version(&mut self, start: Mark) -> Scan<Kind<'a>> {
        while self.is_blank(0) {
            self.position += 1;
        }
        let major = self.scan_version_number(start)?;
        if self.byte(0) != b'.' {
            return self.error(start, "did not find expected digit or '.' character");
        }
        self.position += 1;
        let minor = self.scan_version_number(start)?;
        Ok(Kind::VersionDirective(major, minor))
    }

    fn scan_version_number(&mut self, start: Mark) -> Scan<u32> {
        let mut value = 0_u32;
        let mut digits = 0;
        while self.byte(0).is_ascii_digit() {
            digits += 1;
            if digits > 2 {
                return self.error(start, "found extremely long version number");
            }
            value = value * 10 + u32::from(self.byte(0) - b'0');
            self.position += 1;
        }
        if digits == 0 {
            return self.error(start, "did not find expected version number");
        }
        Ok(value)
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Scan<Kind<'a>> {
        while self.is_blank(0) {
            self.position += 1;
        }
        let from = self.position;
        self.scan_tag_handle(true, start)?;
        let handle = self.input.get(from..self.position).unwrap_or(&[]);
        if !self.is_blank(0) {
            return self.error(start, "did not find expected whitespace");
        }
        while self.is_blank(0) {
            self.position += 1;
        }
        let prefix = self.scan_tag_uri(&[], start)?;
        if !self.is_blankz(0) {
            return self.error(start, "did not find expected whitespace or line break");
        }
        Ok(Kind::TagDirective(handle, prefix))
    }

    fn scan_tag_handle(&mut self, directive: bool, start: Mark) -> Scan<Vec<u8>> {
        if self.byte(0) != b'!' {
            return self.error(start, "did not find expected '!'");
        }
        let from = self.position;
        self.position += 1;
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'_' | b'-') {
            self.position += 1;
        }
        if self.byte(0) == b'!' {
            self.position += 1;
        } else if directive && self.position != from + 1 {
            return self.error(start, "did not find expected '!'");
        }
        Ok(self.input.get(from..self.position).unwrap_or(&[]).to_vec())
    }

    fn scan_tag_uri(&mut self, head: &[u8], start: Mark) -> Scan<Vec<u8>> {
        let has_head = !head.is_empty();
        let mut uri = head.get(1..).unwrap_or(&[]).to_vec();
        loop {
            match self.byte(0) {
                b'%' => {
                    let digit = |ahead| char::from(self.byte(ahead)).to_digit(16);
                    let Some((high, low)) = digit(1).zip(digit(2)) else {
                        return self.error(start, "did not find URI escaped octet");
                    };
                    uri.extend(u8::try_from(high * 16 + low));
                    self.position += 3;
                }
                byte if byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    uri.push(byte);
                    self.position += 1;
                }
                _ => break,
            }
        }
        if uri.is_empty() && !has_head {
            return self.error(start, "did not find expected tag URI");
        }
        Ok(uri)
    }

    pub(super) fn fetch_tag(&mut self) -> Scan<()> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark();
        let (handle, suffix) = if self.byte(1) == b'<' {
            self.position += 2;
            let suffix = self.scan_tag_uri(&[], start)?;
            if self.byte(0) != b'>' {
                return self.error(start, "did not find the expected '>'");
            }
            self.position += 1;
            (Vec::new(), suffix)
        } else {
            let handle = self.scan_tag_handle(false, start)?;
            if handle.len() >= 2 && handle.last() == Some(&b'!') {
                let suffix = self.scan_tag_uri(&[], start)?;
                (handle, suffix)
            } else {
                let suffix = self.scan_tag_uri(&handle, start)?;
                if suffix.is_empty() { (Vec::new(), b"!".to_vec()) } else { (b"!".to_vec(), suffix) }
            }
        };
        let ended = self.is_blankz(0) || (self.flow_level > 0 && self.byte(0) == b',');
        if !ended {
            return self.error(start, "did not find expected whitespace or line break");
        }
        self.tokens.push_back(Token { kind: Kind::Tag(handle, suffix), start });
        Ok(())
    }
}
