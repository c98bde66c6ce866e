//! Git's wire format: lines with a length before them, and the bands that share one stream. No IO.

use bytes::{Buf, Bytes, BytesMut};

/// The longest packet that Git allows, its length included.
const LONGEST: usize = 65520;

/// Ends a list.
pub(super) const FLUSH: &[u8] = b"0000";
/// Separates the parts of a request or answer of protocol version 2.
pub(super) const DELIMITER: &[u8] = b"0001";

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// Content.
    Data(Bytes),
    /// The end of a list.
    Flush,
    /// The end of a part.
    Delimiter,
    /// The end of an answer, on connections without state.
    ResponseEnd,
}

impl Packet {
    /// The content as a line of text without its end; empty for the other kinds and for what is not text.
    pub(super) fn line(&self) -> &str {
        match self {
            Self::Data(bytes) => std::str::from_utf8(bytes).unwrap_or_default().trim_end_matches('\n'),
            Self::Flush | Self::Delimiter | Self::ResponseEnd => "",
        }
    }
}

/// What follows is not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not in Git's format")]
pub(super) struct MalformedPacket;

/// Appends a line, with its end, as a packet.
pub(super) fn append_line(line: &str, request: &mut Vec<u8>) {
    request.extend_from_slice(format!("{:04x}", line.len() + 5).as_bytes());
    request.extend_from_slice(line.as_bytes());
    request.push(b'\n');
}

/// Cuts a stream that arrives in pieces into packets.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: BytesMut,
}

impl Decoder {
    /// Takes the next piece of the stream.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next packet, or nothing while it is not complete.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, MalformedPacket> {
        let Some(digits) = self.pending.get(..4) else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(digits).map_err(|_| MalformedPacket)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(MalformedPacket);
        }
        let length = usize::from_str_radix(digits, 16).map_err(|_| MalformedPacket)?;
        let special = match length {
            0 => Some(Packet::Flush),
            1 => Some(Packet::Delimiter),
            2 => Some(Packet::ResponseEnd),
            3 => return Err(MalformedPacket),
            _ => None,
        };
        if let Some(special) = special {
            self.pending.advance(4);
            return Ok(Some(special));
        }
        if length > LONGEST {
            return Err(MalformedPacket);
        }
        if self.pending.len() < length {
            return Ok(None);
        }
        let mut packet = self.pending.split_to(length).freeze();
        packet.advance(4);
        Ok(Some(Packet::Data(packet)))
    }
}

/// What a packet of a stream with bands carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Band {
    /// The content itself.
    Content(Bytes),
    /// Progress, or what a hook of the server says.
    Progress(String),
    /// The server gave up.
    Fatal(String),
}

/// Reads the band off a packet's content.
pub(super) fn band(mut content: Bytes) -> Result<Band, MalformedPacket> {
    let number = *content.first().ok_or(MalformedPacket)?;
    content.advance(1);
    match number {
        1 => Ok(Band::Content(content)),
        2 => Ok(Band::Progress(String::from_utf8_lossy(&content).into_owned())),
        3 => Ok(Band::Fatal(String::from_utf8_lossy(&content).trim().to_owned())),
        _ => Err(MalformedPacket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8], piece: usize) -> Result<Vec<Packet>, MalformedPacket> {
        let mut decoder = Decoder::default();
        let mut packets = Vec::new();
        for piece in text.chunks(piece) {
            decoder.feed(piece);
            while let Some(packet) = decoder.next()? {
                packets.push(packet);
            }
        }
        assert!(decoder.pending.is_empty());
        Ok(packets)
    }

    #[test]
    fn packets_are_cut_wherever_the_stream_is() {
        let mut request = Vec::new();
        append_line("command=ls-refs", &mut request);
        request.extend_from_slice(DELIMITER);
        append_line("peel", &mut request);
        request.extend_from_slice(FLUSH);
        request.extend_from_slice(b"00020004");
        assert_eq!(request, b"0014command=ls-refs\n00010009peel\n000000020004");
        let whole = decode(&request, request.len()).unwrap();
        for piece in 1..request.len() {
            assert_eq!(decode(&request, piece).unwrap(), whole);
        }
        assert_eq!(whole[0].line(), "command=ls-refs");
        assert_eq!(whole[3..], [Packet::Flush, Packet::ResponseEnd, Packet::Data(Bytes::new())]);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [&b"0003"[..], b"zzzz", b"+004", b"fff1", b"<htm"] {
            assert_eq!(decode(bad, 4), Err(MalformedPacket), "{bad:?}");
        }
        assert_eq!(band(Bytes::new()), Err(MalformedPacket));
        assert_eq!(band(Bytes::from_static(b"\x04x")), Err(MalformedPacket));
        assert_eq!(band(Bytes::from_static(b"\x03no \n")), Ok(Band::Fatal("no".into())));
    }
}
