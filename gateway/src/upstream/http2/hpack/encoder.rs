//! Header blocks of calls. A call to a gRPC server says the same of itself as any other but for its method and metadata:
//! what is common to all is put into the connection's table by the first call, and said in five bytes from then on. All
//! else is literal and not compressed: to look for it in a table, and to keep it there, costs both sides more than the
//! bytes. Whatever is a caller's own so never meets what is another's, either (RFC 7541, 7.1).

use http::{HeaderName, HeaderValue};

use super::{FIELD_OVERHEAD_BYTES, TABLE_BYTES_DEFAULT};
use crate::deadline::GRPC_TIMEOUT;

/// `:method: POST`; `:scheme` is one of the two, by the static table.
const POST: u8 = 0x83;
const SCHEMES: [u8; 2] = [0x86, 0x87];

/// The content type of nearly every call, and its name's index.
const PLAIN_TYPE: &[u8] = b"application/grpc";
const CONTENT_TYPE: usize = 31;
const AUTHORITY: usize = 1;
const PATH: usize = 4;

/// The first bytes of literals, and how many of their bits are an index.
const INDEXED: (u8, u32) = (0x40, 6);
const NOT_INDEXED: (u8, u32) = (0x00, 4);
const NEVER_INDEXED: (u8, u32) = (0x10, 4);

/// What one call says: its path and its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::upstream) struct Block {
    bytes: Vec<u8>,
    /// Bytes of the path, which comes first: pseudo-headers are before all others.
    path: usize,
    /// Whether its content type is [`PLAIN_TYPE`], which is then not in it.
    is_plain: bool,
}

impl Block {
    /// Of a call without metadata; as many headers are expected.
    pub(in crate::upstream) fn new(path: &str, headers: usize) -> Self {
        /// What a header takes more or less.
        const FIELD_BYTES: usize = 48;
        let mut bytes = Vec::with_capacity(path.len() + headers * FIELD_BYTES);
        put_index(&mut bytes, NOT_INDEXED, PATH);
        put_string(&mut bytes, path.as_bytes());
        Self {
            path: bytes.len(),
            bytes,
            is_plain: false,
        }
    }

    /// Adds a header. One that is marked as sensitive is never to be in anybody's table.
    pub(in crate::upstream) fn put(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.put_bytes(name, value.as_bytes(), value.is_sensitive());
    }

    /// The same of a part of a value.
    pub(in crate::upstream) fn put_bytes(&mut self, name: &HeaderName, value: &[u8], is_sensitive: bool) {
        if !self.is_plain && !is_sensitive && *name == http::header::CONTENT_TYPE && value == PLAIN_TYPE {
            self.is_plain = true;
            return;
        }
        put_literal(&mut self.bytes, name, value, is_sensitive);
    }
}

#[cfg(test)]
impl Block {
    pub(in crate::upstream) fn path(&self) -> &str {
        // Shorter than what one byte says.
        std::str::from_utf8(&self.bytes[2..self.path]).unwrap()
    }

    /// All but a plain content type.
    pub(in crate::upstream) fn headers(&self) -> http::HeaderMap {
        let read = super::Decoder::new().block(&self.bytes[self.path..], usize::MAX);
        read.unwrap().headers
    }
}

/// Puts the blocks of one connection.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    /// As literals.
    literal: Common,
    /// The same, which go into the table.
    filling: Common,
    /// Once they are there.
    indexed: Common,
    table: Table,
}

/// What is common to all calls.
#[derive(Debug)]
struct Common {
    /// Pseudo-headers.
    before_path: Vec<u8>,
    after_path: Vec<u8>,
    /// Bytes of `after_path` before its content type, which is its end.
    typeless: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Empty,
    Filled,
    /// There is no room, or none any more; then it has to be said that nothing is in it.
    Unused {
        is_said: bool,
    },
}

impl Common {
    fn literal(form: (u8, u32), authority: &str, scheme: u8) -> Self {
        let mut before_path = vec![POST, scheme];
        put_index(&mut before_path, form, AUTHORITY);
        put_string(&mut before_path, authority.as_bytes());
        let mut after_path = Vec::new();
        put_index(&mut after_path, form, 0);
        put_string(&mut after_path, b"te");
        put_string(&mut after_path, b"trailers");
        let typeless = after_path.len();
        put_index(&mut after_path, form, CONTENT_TYPE);
        put_string(&mut after_path, PLAIN_TYPE);
        Self {
            before_path,
            after_path,
            typeless,
        }
    }

    /// The newest entry has the first index after the static table's.
    fn indexed(scheme: u8) -> Self {
        let [content_type, te, authority] = [62, 63, 64].map(|index| 0x80 | index);
        Self {
            before_path: vec![POST, scheme, authority],
            after_path: vec![te, content_type],
            typeless: 1,
        }
    }
}

impl Encoder {
    pub(in super::super) fn new(authority: &str, is_tls: bool) -> Self {
        let scheme = SCHEMES[usize::from(is_tls)];
        let texts = [":authority", authority, "te", "trailers", "content-type"].map(str::len);
        let bytes = texts.iter().sum::<usize>() + PLAIN_TYPE.len() + 3 * FIELD_OVERHEAD_BYTES;
        Self {
            literal: Common::literal(NOT_INDEXED, authority, scheme),
            filling: Common::literal(INDEXED, authority, scheme),
            indexed: Common::indexed(scheme),
            table: match bytes <= TABLE_BYTES_DEFAULT {
                true => Table::Empty,
                false => Table::Unused { is_said: true },
            },
        }
    }

    /// Hears how large a table the server keeps. If it is smaller than by default, nothing is in it any more.
    pub(in super::super) fn set_table_bytes(&mut self, bytes: u32) {
        if (bytes as usize) < TABLE_BYTES_DEFAULT {
            self.table = Table::Unused { is_said: false };
        }
    }

    /// Puts the block of a call; blocks have to be sent in the order in which they are put.
    pub(in super::super) fn put(&mut self, out: &mut Vec<u8>, call: &Block, timeout: &HeaderValue) {
        let common = match self.table {
            Table::Filled => &self.indexed,
            Table::Empty if call.is_plain => {
                self.table = Table::Filled;
                &self.filling
            }
            Table::Empty | Table::Unused { is_said: true } => &self.literal,
            Table::Unused { is_said: false } => {
                // A table of no bytes (RFC 7541, 6.3).
                out.push(0x20);
                self.table = Table::Unused { is_said: true };
                &self.literal
            }
        };
        let (path, headers) = call.bytes.split_at(call.path);
        let common_headers = match call.is_plain {
            true => &common.after_path[..],
            false => &common.after_path[..common.typeless],
        };
        for part in [&common.before_path, path, common_headers, headers] {
            out.extend_from_slice(part);
        }
        put_literal(out, &GRPC_TIMEOUT, timeout.as_bytes(), timeout.is_sensitive());
    }
}

fn put_literal(out: &mut Vec<u8>, name: &HeaderName, value: &[u8], is_sensitive: bool) {
    put_index(out, if is_sensitive { NEVER_INDEXED } else { NOT_INDEXED }, 0);
    put_string(out, name.as_str().as_bytes());
    put_string(out, value);
}

/// An integer (RFC 7541, 5.1) after the bits of its form.
fn put_index(out: &mut Vec<u8>, (form, prefix): (u8, u32), value: usize) {
    let mask = (1 << prefix) - 1;
    if value < mask {
        out.push(form | value as u8);
        return;
    }
    out.push(form | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    put_index(out, (0, 7), text.len());
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server reads of blocks, with a table that is as large as the default; and how many bytes they had.
    fn read(blocks: &[Vec<u8>]) -> Vec<Vec<(String, String)>> {
        let mut dynamic: Vec<(String, String)> = Vec::new();
        let mut read = Vec::new();
        for block in blocks {
            let mut rest = block.as_slice();
            let mut fields = Vec::new();
            let number = |rest: &mut &[u8], prefix: u32| {
                let mask = (1 << prefix) - 1;
                let mut value = usize::from(rest[0]) & mask;
                *rest = &rest[1..];
                let mut shift = 0;
                while value >= mask {
                    value += usize::from(rest[0] & 0x7f) << shift;
                    shift += 7;
                    let is_last = rest[0] & 0x80 == 0;
                    *rest = &rest[1..];
                    if is_last {
                        break;
                    }
                }
                value
            };
            let text = |rest: &mut &[u8]| {
                let length = number(rest, 7);
                let (text, after) = rest.split_at(length);
                *rest = after;
                String::from_utf8(text.to_vec()).unwrap()
            };
            while let Some(first) = rest.first() {
                let (prefix, is_indexed) = match first {
                    0x80.. => (7, false),
                    0x40.. => (6, true),
                    0x20.. => {
                        assert_eq!(number(&mut rest, 5), 0);
                        dynamic.clear();
                        continue;
                    }
                    _ => (4, false),
                };
                let index = number(&mut rest, prefix);
                let known = |index: usize| match index.checked_sub(62) {
                    Some(own) => dynamic[own].clone(),
                    None => {
                        let (name, value) = super::super::table::STATIC[index - 1];
                        (name.to_owned(), value.to_owned())
                    }
                };
                let field = match (prefix, index) {
                    (7, index) => known(index),
                    (_, 0) => (text(&mut rest), text(&mut rest)),
                    (_, index) => (known(index).0, text(&mut rest)),
                };
                if is_indexed {
                    dynamic.insert(0, field.clone());
                }
                fields.push(field);
            }
            read.push(fields);
        }
        read
    }

    fn call(content_type: &'static str) -> Block {
        let mut block = Block::new("/a.A/Get", 2);
        block.put(&http::header::CONTENT_TYPE, &HeaderValue::from_static(content_type));
        block.put(
            &HeaderName::from_static("x-long"),
            &HeaderValue::try_from("v".repeat(300)).unwrap(),
        );
        block
    }

    fn blocks(encoder: &mut Encoder, types: &[&'static str]) -> Vec<Vec<u8>> {
        let block = |content_type: &&'static str| {
            let mut out = Vec::new();
            encoder.put(&mut out, &call(content_type), &HeaderValue::from_static("1S"));
            out
        };
        types.iter().map(block).collect()
    }

    /// What a server should read, in any order of headers.
    fn said(content_type: &str) -> Vec<(String, String)> {
        let long = "v".repeat(300);
        let mut said = vec![
            (":authority", "server:1"),
            (":method", "POST"),
            (":path", "/a.A/Get"),
            (":scheme", "https"),
            ("content-type", content_type),
            ("grpc-timeout", "1S"),
            ("te", "trailers"),
            ("x-long", long.as_str()),
        ];
        said.sort_unstable();
        said.into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn every_block_says_all_of_its_call() {
        let (plain, other) = ("application/grpc", "application/grpc+proto");
        let types = [other, plain, plain, other, plain];
        // The server's table: as by default, none from the start, none from the third call on.
        for (told_at, lengths) in [
            (usize::MAX, [true, true, false, false, false]),
            (0, [true; 5]),
            (2, [true; 5]),
        ] {
            let mut encoder = Encoder::new("server:1", true);
            let mut all = Vec::new();
            for (index, content_type) in types.iter().enumerate() {
                if index == told_at {
                    encoder.set_table_bytes(4_095);
                }
                all.extend(blocks(&mut encoder, &[content_type]));
            }
            for (index, mut fields) in read(&all).into_iter().enumerate() {
                let pseudo = fields.iter().take_while(|(name, _)| name.starts_with(':')).count();
                assert_eq!(pseudo, 4, "pseudo-headers come first: {fields:?}");
                fields.sort_unstable();
                assert_eq!(fields, said(types[index]), "{told_at}, {index}");
            }
            let common = all.iter().map(|block| block.windows(8).any(|text| text == b"server:1"));
            assert_eq!(common.collect::<Vec<_>>(), lengths, "{told_at}");
        }
    }

    #[test]
    fn what_is_sensitive_is_never_in_a_table() {
        let mut block = Block::new("/", 1);
        let mut value = HeaderValue::from_static("v");
        value.set_sensitive(true);
        block.put(&HeaderName::from_static("a"), &value);
        assert!(block.bytes.ends_with(b"\x10\x01a\x01v"), "{block:?}");
    }

    #[test]
    fn an_authority_that_no_table_holds_is_literal() {
        let mut encoder = Encoder::new(&"a".repeat(4_000), false);
        let all = blocks(&mut encoder, &["application/grpc"; 2]);
        assert!(all[0] == all[1] && all[0].len() > 4_000);
    }
}
