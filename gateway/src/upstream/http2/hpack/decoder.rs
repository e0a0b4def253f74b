//! Header blocks of answers: any that the specification allows, into headers at once.

use std::collections::VecDeque;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::table::STATIC;
use super::{FIELD_OVERHEAD_BYTES, TABLE_BYTES_DEFAULT, huffman};

/// What tells one block from the next on a connection: its table.
pub(in super::super) struct Decoder {
    /// The newest first.
    table: VecDeque<Entry>,
    /// What they take, by RFC 7541, 4.1, and may take.
    bytes: usize,
    bytes_max: usize,
    /// Of strings that are compressed.
    scratch: Vec<u8>,
}

struct Entry {
    field: Field,
    bytes: usize,
}

/// A name, as far as an answer can have it.
#[derive(Clone)]
enum Name {
    Status,
    Header(HeaderName),
    /// No answer has it; so many bytes.
    Wrong(usize),
}

#[derive(Clone)]
enum Field {
    Status(StatusCode),
    Header(HeaderName, HeaderValue),
    /// No answer has it; its name, and bytes of its value.
    Wrong(Name, usize),
}

/// Of the static table.
static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let field = |(name, value): &(&'static str, &'static str)| Field::of(Name::of(name.as_bytes()), value.as_bytes());
    STATIC.iter().map(field).collect()
});

/// What a block says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Fields {
    pub(in super::super) status: Option<StatusCode>,
    pub(in super::super) headers: HeaderMap,
    /// `content-length`.
    pub(in super::super) length: Option<u64>,
    /// By RFC 9113, 10.5.1, without the status.
    pub(in super::super) bytes: usize,
    /// Whether it is more than is taken: then the rest is not there, and only counted.
    pub(in super::super) is_too_large: bool,
    /// Whether it says what no answer may (RFC 9113, 8.2 and 8.3).
    pub(in super::super) is_malformed: bool,
}

/// A block that is none: with it the table is lost, and so the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct CompressionError;

impl Decoder {
    pub(in super::super) fn new() -> Self {
        Self {
            table: VecDeque::new(),
            bytes: 0,
            bytes_max: TABLE_BYTES_DEFAULT,
            scratch: Vec::new(),
        }
    }

    /// Reads a whole block, of which fields of up to `bytes_max` are kept.
    pub(in super::super) fn block(&mut self, mut block: &[u8], bytes_max: usize) -> Result<Fields, CompressionError> {
        let mut fields = Fields::default();
        let mut has_field = false;
        while let Some(first) = block.first().copied() {
            let field = match first {
                0x80.. => {
                    let index = integer(&mut block, 7)?;
                    let field = self.at(index)?;
                    if fields.is_too_large {
                        fields.bytes += field.bytes();
                        continue;
                    }
                    field.clone()
                }
                0x40..0x80 => {
                    let field = self.literal(&mut block, 6)?;
                    self.insert(field.clone());
                    field
                }
                0x20..0x40 => {
                    // Only a block's first words may be of the table (RFC 7541, 4.2).
                    let bytes_max = integer(&mut block, 5)?;
                    if has_field || bytes_max > TABLE_BYTES_DEFAULT {
                        return Err(CompressionError);
                    }
                    self.bytes_max = bytes_max;
                    self.evict();
                    continue;
                }
                0x10..0x20 => {
                    let mut field = self.literal(&mut block, 4)?;
                    if let Field::Header(_, value) = &mut field {
                        value.set_sensitive(true);
                    }
                    field
                }
                0x00..0x10 => self.literal(&mut block, 4)?,
            };
            has_field = true;
            fields.add(field, bytes_max);
        }
        Ok(fields)
    }

    fn at(&self, index: usize) -> Result<&Field, CompressionError> {
        let index = index.checked_sub(1).ok_or(CompressionError)?;
        let own = || self.table.get(index - STATIC.len()).map(|entry| &entry.field);
        FIELDS.get(index).or_else(own).ok_or(CompressionError)
    }

    /// A field whose name may be in a table; so many bits say where.
    fn literal(&mut self, block: &mut &[u8], prefix: u32) -> Result<Field, CompressionError> {
        let name = match integer(block, prefix)? {
            0 => Name::of(string(block, &mut self.scratch)?),
            index => self.at(index)?.name(),
        };
        Ok(Field::of(name, string(block, &mut self.scratch)?))
    }

    fn insert(&mut self, field: Field) {
        let bytes = field.bytes();
        self.bytes += bytes;
        self.table.push_front(Entry { field, bytes });
        self.evict();
    }

    /// Lets the oldest go until the rest has room; also the newest, if it is too large (RFC 7541, 4.4).
    fn evict(&mut self) {
        while self.bytes > self.bytes_max
            && let Some(entry) = self.table.pop_back()
        {
            self.bytes -= entry.bytes;
        }
    }
}

impl Name {
    fn of(text: &[u8]) -> Self {
        if text == b":status" {
            return Self::Status;
        }
        // Of capital letters this is one of the errors.
        HeaderName::from_lowercase(text).map_or(Self::Wrong(text.len()), Self::Header)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Status => ":status".len(),
            Self::Header(name) => name.as_str().len(),
            Self::Wrong(bytes) => *bytes,
        }
    }
}

impl Field {
    fn of(name: Name, value: &[u8]) -> Self {
        let wrong = |name| Self::Wrong(name, value.len());
        match name {
            Name::Status => StatusCode::from_bytes(value).map_or_else(|_| wrong(Name::Status), Self::Status),
            Name::Header(name) => match HeaderValue::from_bytes(value) {
                Ok(value) => Self::Header(name, value),
                Err(_) => wrong(Name::Header(name)),
            },
            name @ Name::Wrong(_) => wrong(name),
        }
    }

    fn name(&self) -> Name {
        match self {
            Self::Status(_) => Name::Status,
            Self::Header(name, _) => Name::Header(name.clone()),
            Self::Wrong(name, _) => name.clone(),
        }
    }

    fn bytes(&self) -> usize {
        let (name, value) = match self {
            Self::Status(status) => (":status".len(), status.as_str().len()),
            Self::Header(name, value) => (name.as_str().len(), value.len()),
            Self::Wrong(name, value) => (name.bytes(), *value),
        };
        name + value + FIELD_OVERHEAD_BYTES
    }
}

impl Fields {
    fn add(&mut self, field: Field, bytes_max: usize) {
        if !matches!(field, Field::Status(_)) {
            self.bytes += field.bytes();
        }
        self.is_too_large |= self.bytes > bytes_max;
        if self.is_too_large {
            return;
        }
        match field {
            Field::Status(status) => {
                self.is_malformed |= self.status.is_some() || !self.headers.is_empty();
                self.status = Some(status);
            }
            Field::Header(name, value) => {
                self.is_malformed |= is_of_the_connection(&name);
                if name == header::CONTENT_LENGTH {
                    let length = value.to_str().ok().and_then(|text| text.parse().ok());
                    self.is_malformed |= length.is_none() || self.length.is_some_and(|other| Some(other) != length);
                    self.length = length;
                }
                self.is_too_large |= self.headers.try_append(name, value).is_err();
            }
            Field::Wrong(..) => self.is_malformed = true,
        }
    }
}

/// Whether HTTP/2 knows no such header (RFC 9113, 8.2.2).
fn is_of_the_connection(name: &HeaderName) -> bool {
    matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// An integer (RFC 7541, 5.1) whose first bits, so many, are the lowest of the next byte.
fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, CompressionError> {
    let (first, rest) = block.split_first().ok_or(CompressionError)?;
    *block = rest;
    let mask = (1 << prefix) - 1;
    let mut value = usize::from(*first) & mask;
    if value < mask {
        return Ok(value);
    }
    // Four more bytes hold more than any length or index here is.
    for shift in [0, 7, 14, 21] {
        let (byte, rest) = block.split_first().ok_or(CompressionError)?;
        *block = rest;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(CompressionError)
}

/// A string (RFC 7541, 5.2).
fn string<'s, 'b: 's>(block: &mut &'b [u8], scratch: &'s mut Vec<u8>) -> Result<&'s [u8], CompressionError> {
    let is_coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or(CompressionError)?;
    *block = rest;
    if !is_coded {
        return Ok(text);
    }
    scratch.clear();
    match huffman::decode(text, scratch) {
        true => Ok(scratch),
        false => Err(CompressionError),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::huffman::tests::encoded;
    use super::*;

    const ALL: usize = 1 << 20;

    fn headers(fields: &Fields) -> Vec<(&str, &str)> {
        let headers = fields.headers.iter();
        headers
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect()
    }

    /// Those of the table, the newest first.
    fn table(decoder: &Decoder) -> Vec<String> {
        let told = |entry: &Entry| match &entry.field {
            Field::Status(status) => status.to_string(),
            Field::Header(name, value) => format!("{name}: {}", value.to_str().unwrap()),
            Field::Wrong(..) => "wrong".to_owned(),
        };
        decoder.table.iter().map(told).collect()
    }

    #[test]
    fn the_examples_of_answers_in_the_specification() {
        // RFC 7541, C.5 and C.6: the same three answers, plain and compressed, in a table of 256 bytes.
        let plain: [&[u8]; 3] = [
            b"\x48\x03302\x58\x07private\x61\x1dMon, 21 Oct 2013 20:13:21 GMT\x6e\x17https://www.example.com",
            b"\x48\x03307\xc1\xc0\xbf",
            b"\x88\xc1\x61\x1dMon, 21 Oct 2013 20:13:22 GMT\xc0\x5a\x04gzip\x77\x38\
              foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ];
        let coded: Vec<Vec<u8>> = [
            vec![
                &b"\x48"[..],
                b"302",
                b"\x58",
                b"private",
                b"\x61",
                b"Mon, 21 Oct 2013 20:13:21 GMT",
                b"\x6e",
                b"https://www.example.com",
            ],
            vec![b"\x48", b"307", b"\xc1\xc0\xbf"],
            vec![
                b"\x88\xc1\x61",
                b"Mon, 21 Oct 2013 20:13:22 GMT",
                b"\xc0\x5a",
                b"gzip",
                b"\x77",
                b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ],
        ]
        .iter()
        .map(|parts| {
            let part = |(index, part): (usize, &&[u8])| match index % 2 {
                0 => part.to_vec(),
                _ => {
                    let coded = encoded(part);
                    [vec![0x80 | coded.len() as u8], coded].concat()
                }
            };
            parts.iter().enumerate().flat_map(part).collect()
        })
        .collect();
        for blocks in [plain.map(<[u8]>::to_vec).to_vec(), coded] {
            let mut decoder = Decoder::new();
            decoder.bytes_max = 256;
            let [first, second, third] = [0, 1, 2].map(|index| decoder.block(&blocks[index], ALL).unwrap());
            let (date, later) = ("Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT");
            let location = ("location", "https://www.example.com");
            let same = [("cache-control", "private"), ("date", date), location];
            assert_eq!(
                (first.status, headers(&first)),
                (Some(StatusCode::FOUND), same.to_vec())
            );
            let same = [("cache-control", "private"), ("date", date), location];
            assert_eq!(second.status, Some(StatusCode::TEMPORARY_REDIRECT));
            assert_eq!(headers(&second), same);
            let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
            let last = [
                ("cache-control", "private"),
                ("date", later),
                location,
                ("content-encoding", "gzip"),
                ("set-cookie", cookie),
            ];
            assert_eq!((third.status, headers(&third)), (Some(StatusCode::OK), last.to_vec()));
            let expected = [
                format!("set-cookie: {cookie}"),
                "content-encoding: gzip".to_owned(),
                format!("date: {later}"),
            ];
            assert_eq!((table(&decoder), decoder.bytes), (expected.to_vec(), 215));
        }
    }

    #[test]
    fn what_is_no_block_ends_the_connection() {
        for block in [
            // No index, one beyond the tables, one that is too long.
            &b"\x80"[..],
            b"\xbe",
            b"\xff\xff\xff\xff\xff\x7f",
            b"\xff",
            // A name or value that is not all there, or no code.
            b"\x40",
            b"\x40\x01",
            b"\x40\x01a\x02b",
            b"\x40\x81\xff\x00",
            // A table that is too large, or not at the start.
            b"\x3f\xe2\x1f",
            b"\x88\x20",
        ] {
            assert_eq!(Decoder::new().block(block, ALL), Err(CompressionError), "{block:?}");
        }
    }

    #[test]
    fn the_table_shrinks_when_it_is_told_so() {
        let mut decoder = Decoder::new();
        decoder.block(b"\x40\x01a\x01b\x40\x01c\x01d", ALL).unwrap();
        assert_eq!(table(&decoder), ["c: d", "a: b"]);
        // To 34 bytes, which one of them takes.
        let fields = decoder.block(b"\x3f\x03\xbe", ALL).unwrap();
        assert_eq!(
            (headers(&fields), table(&decoder)),
            (vec![("c", "d")], vec!["c: d".to_owned()])
        );
        // What has no room empties it.
        decoder.block(b"\x40\x02ab\x01c", ALL).unwrap();
        assert_eq!((table(&decoder).len(), decoder.bytes), (0, 0));
        // And back to all.
        decoder.block(b"\x20\x3f\xe1\x1f\x40\x02ab\x01c", ALL).unwrap();
        assert_eq!(table(&decoder), ["ab: c"]);
    }

    #[test]
    fn what_no_answer_may_say_is_malformed() {
        let table: [(&[u8], bool); 14] = [
            (b"\x88\x00\x01a\x01b", false),
            (b"\x00\x01a\x01b\x88", true),
            (b"\x88\x89", true),
            (b"\x08\x0220", true),
            (b"\x82", true),
            (b"\x00\x04:new\x01b", true),
            (b"\x00\x01A\x01b", true),
            (b"\x00\x00\x01b", true),
            (b"\x00\x01a\x01\n", true),
            (b"\x00\x0aconnection\x01b", true),
            (b"\x00\x02te\x01b", false),
            (b"\x0f\x0d\x0210", false),
            (b"\x0f\x0d\x021x", true),
            (b"\x0f\x0d\x0210\x0f\x0d\x0211", true),
        ];
        for (block, is_malformed) in table {
            let fields = Decoder::new().block(block, ALL).unwrap();
            assert_eq!(fields.is_malformed, is_malformed, "{block:?}");
        }
        // Its place in the table is taken all the same.
        let mut decoder = Decoder::new();
        assert!(
            decoder
                .block(b"\x40\x01a\x01b\x40\x01A\x01b", ALL)
                .unwrap()
                .is_malformed
        );
        assert_eq!(headers(&decoder.block(b"\xbf", ALL).unwrap()), [("a", "b")]);
        assert!(decoder.block(b"\xbe", ALL).unwrap().is_malformed);
    }

    #[test]
    fn of_a_list_that_is_too_large_no_more_is_kept_than_is_taken() {
        let mut decoder = Decoder::new();
        let block = b"\x40\x01a\x01b"
            .iter()
            .chain(&[0xbe; 1_000])
            .copied()
            .collect::<Vec<_>>();
        let fields = decoder.block(&block, 340).unwrap();
        assert!(fields.is_too_large && fields.headers.len() == 10, "{fields:?}");
        assert_eq!(fields.bytes, 34 * 1_001);
        assert!(!decoder.block(&block[..14], 340).unwrap().is_too_large);
    }

    #[test]
    fn what_must_not_be_in_a_table_is_marked() {
        let fields = Decoder::new().block(b"\x10\x01a\x01b\x00\x01c\x01d", ALL).unwrap();
        assert!(fields.headers["a"].is_sensitive() && !fields.headers["c"].is_sensitive());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_block_or_none(blocks: Vec<Vec<u8>>) {
            let mut decoder = Decoder::new();
            for block in blocks {
                let _ = decoder.block(&block, 1_000);
                let bytes: usize = decoder.table.iter().map(|entry| entry.bytes).sum();
                prop_assert_eq!(bytes, decoder.bytes);
                prop_assert!(bytes <= decoder.bytes_max);
            }
        }
    }
}
