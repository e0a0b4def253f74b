//! The search for the next byte of a string that cannot be copied as it is, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks bytes that are zero. Above the lowest mark there may be false ones.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

const fn equal(word: u64, byte: u8) -> u64 {
    zeros(word ^ (ONES * byte as u64))
}

/// Marks what cannot stand in a JSON string: `"`, `\` and control characters.
const fn special_in_json(word: u64) -> u64 {
    // Each difference has its top bit where its byte is sought, or where the byte is not ASCII: one mask serves all.
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGHS
}

/// Marks what we write escaped: the same, DEL, and the first byte of U+2028 and U+2029 (and of others).
const fn special_in_text(word: u64) -> u64 {
    special_in_json(word) | equal(word, 0x7f) | equal(word, 0xe2)
}

/// Where the run of plain bytes at `from` ends in a JSON text.
#[inline]
pub(crate) fn find_escaped_in_json(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, special_in_json)
}

/// Where the run of bytes at `from` ends that are written as they are.
#[inline]
pub(crate) fn find_escaped_in_text(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, special_in_text)
}

#[inline(always)]
fn find(bytes: &[u8], from: usize, special: fn(u64) -> u64) -> usize {
    let mut rest = bytes.get(from..).unwrap_or_default();
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let marks = special(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return bytes.len() - rest.len() + (marks.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let mut at = bytes.len() - rest.len();
    // The same marks, byte by byte: what is not looked at is filled with letters.
    while let Some(byte) = bytes.get(at) {
        if special(u64::from(*byte) | (ONES * u64::from(b'a')) << 8) != 0 {
            return at;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_byte_at_each_place() {
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for place in 0..length {
                    let mut bytes = vec![b'x'; length];
                    bytes[place] = byte;
                    let is_json = byte < 0x20 || matches!(byte, b'"' | b'\\');
                    let is_text = is_json || matches!(byte, 0x7f | 0xe2);
                    let expected = |found: bool| if found { place } else { length };
                    assert_eq!(find_escaped_in_json(&bytes, 0), expected(is_json), "{byte} at {place}");
                    assert_eq!(find_escaped_in_text(&bytes, 0), expected(is_text), "{byte} at {place}");
                }
            }
        }
        assert_eq!(find_escaped_in_json(b"\"abc\"", 1), 4);
        assert_eq!(find_escaped_in_json(b"", 0), 0);
    }
}
