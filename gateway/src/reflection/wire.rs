//! The protobuf wire as far as reflection and descriptors need it: fields one after the other, nothing allocated, so
//! that an answer of a million empty entries costs what its bytes cost.

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'w> {
    pub(crate) number: u32,
    /// With its tag.
    pub(crate) whole: &'w [u8],
    pub(crate) value: Value<'w>,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'w> {
    Varint(u64),
    Length(&'w [u8]),
    /// Of fixed size, which neither descriptors nor reflection have.
    Other,
}

impl<'w> Field<'w> {
    /// What a field with a length holds.
    pub(crate) fn bytes(&self) -> Result<&'w [u8], Malformed> {
        match self.value {
            Value::Length(bytes) => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    /// The same, as text.
    pub(crate) fn text(&self) -> Result<&'w str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    pub(crate) fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(Malformed),
        }
    }
}

/// The fields of a message; after an error there are no more.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Malformed>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let field = (!rest.is_empty()).then(|| take(&mut rest))?;
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

/// The fields with one number.
pub(crate) fn fields_of(message: &[u8], number: u32) -> impl Iterator<Item = Result<Field<'_>, Malformed>> {
    fields(message).filter(move |field| field.is_err() || field.is_ok_and(|field| field.number == number))
}

/// The numbers of a packed list.
pub(crate) fn varints(packed: &[u8]) -> impl Iterator<Item = Result<u64, Malformed>> {
    let mut rest = packed;
    std::iter::from_fn(move || {
        let value = (!rest.is_empty()).then(|| varint(&mut rest))?;
        if value.is_err() {
            rest = &[];
        }
        Some(value)
    })
}

fn take<'w>(rest: &mut &'w [u8]) -> Result<Field<'w>, Malformed> {
    let before = *rest;
    let tag = u32::try_from(varint(rest)?).map_err(|_| Malformed)?;
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => skip(rest, 8)?,
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| Malformed)?;
            Value::Length(rest.split_off(..length).ok_or(Malformed)?)
        }
        5 => skip(rest, 4)?,
        // Groups: the messages here have none.
        _ => return Err(Malformed),
    };
    match tag >> 3 {
        0 => Err(Malformed),
        number => Ok(Field {
            number,
            whole: &before[..before.len() - rest.len()],
            value,
        }),
    }
}

fn skip<'w>(rest: &mut &[u8], bytes: usize) -> Result<Value<'w>, Malformed> {
    rest.split_off(..bytes).map(|_| Value::Other).ok_or(Malformed)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first().ok_or(Malformed)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field that has a length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put(out, u64::from(number << 3 | 2));
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    put(out, u64::from(number << 3));
    put(out, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        put_bytes(&mut out, 3, b"abc");
        put_varint(&mut out, 500, u64::MAX);
        out.extend_from_slice(b"\x09........\x0d....");
        let read: Vec<_> = fields(&out)
            .map(|field| field.map(|field| (field.number, field.value)))
            .collect();
        let expected = [
            (3, Value::Length(b"abc")),
            (500, Value::Varint(u64::MAX)),
            (1, Value::Other),
            (1, Value::Other),
        ];
        assert_eq!(read, expected.map(Ok));
        assert_eq!(
            fields(&out).map(|field| field.unwrap().whole.len()).sum::<usize>(),
            out.len()
        );
        for broken in [
            &b"\x0a\x05abc"[..],
            b"\x0b",
            b"\x0a",
            b"\x00\x00",
            b"\x80",
            b"\x09abc",
            b"\x0f",
        ] {
            assert_eq!(fields(broken).last(), Some(Err(Malformed)), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
