//! Strings in the Huffman code of RFC 7541, appendix B. The code is canonical: it is all said by how many symbols there
//! are of each length, and by their order. Only decoding is here; what is sent is not compressed.

/// Bits of the shortest code, and of the longest.
const BITS_MIN: usize = 5;
const BITS_MAX: usize = 30;
const LENGTHS: usize = BITS_MAX - BITS_MIN + 1;

/// How many symbols have a code of 5 bits, of 6, and so on. The last code of 30 bits, of ones alone, ends a string that
/// never has it (`EOS`).
const COUNTS: [u16; LENGTHS] = [
    10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 3,
];

/// The symbols, by the length of their codes and in the order of these.
#[rustfmt::skip]
const SYMBOLS: [u8; 256] = [
    48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61, 65, 95, 98, 100,
    102, 103, 104, 108, 109, 110, 112, 114, 117, 58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82,
    83, 84, 85, 86, 87, 89, 106, 107, 113, 118, 119, 120, 121, 122, 38, 42, 44, 59, 88, 90, 33, 34, 40, 41, 63, 39, 43,
    124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195, 208, 128, 130, 131, 162, 184, 194, 224, 226,
    153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163,
    164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232, 233, 1, 135, 137, 138, 139, 140, 141,
    143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9,
    142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213,
    218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251,
    252, 253, 254, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127,
    220, 249, 10, 13, 22,
];

/// The codes of one length.
#[derive(Clone, Copy)]
struct Row {
    /// Above the last of them, moved to the left end of 32 bits.
    end: u64,
    /// The first of them.
    first: u32,
    /// Where its symbol is.
    offset: u32,
}

const ROWS: [Row; LENGTHS] = rows();

const fn rows() -> [Row; LENGTHS] {
    let mut rows = [Row {
        end: 0,
        first: 0,
        offset: 0,
    }; LENGTHS];
    let (mut first, mut offset, mut index) = (0, 0, 0);
    while index < LENGTHS {
        let count = COUNTS[index] as u32;
        rows[index] = Row {
            end: ((first + count) as u64) << (32 - BITS_MIN - index),
            first,
            offset,
        };
        offset += count;
        first = (first + count) << 1;
        index += 1;
    }
    rows
}

/// Adds the symbols of a coded string; false if it is none, or ends in anything but fewer than 8 ones.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> bool {
    let mut coded = coded.iter();
    // The bits that were taken out and not used yet are the lowest.
    let (mut bits, mut left) = (0_u64, 0_usize);
    loop {
        while left <= 56
            && let Some(byte) = coded.next()
        {
            bits = bits << 8 | u64::from(*byte);
            left += 8;
        }
        // The next 32 of them, the end filled up with ones.
        let next = match left.checked_sub(32) {
            Some(more) => (bits >> more) as u32,
            None => (bits << (32 - left)) as u32 | u32::MAX.checked_shr(left as u32).unwrap_or_default(),
        };
        let row = ROWS.iter().position(|row| u64::from(next) < row.end);
        match row {
            Some(row) if row + BITS_MIN <= left => {
                let (length, row) = (row + BITS_MIN, &ROWS[row]);
                let symbol = row.offset + (next >> (32 - length)) - row.first;
                out.push(SYMBOLS[symbol as usize]);
                left -= length;
            }
            // Nothing but the ones that fill the last byte.
            _ => return left < 8 && next == u32::MAX,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A string in the code.
    pub(in super::super) fn encoded(text: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for byte in text {
            let at = SYMBOLS.iter().position(|symbol| symbol == byte).unwrap();
            let row = ROWS.iter().rposition(|row| row.offset as usize <= at).unwrap();
            let code = ROWS[row].first + at as u32 - ROWS[row].offset;
            bits += &format!("{code:0width$b}", width = row + BITS_MIN);
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let bytes = bits.as_bytes().chunks(8);
        bytes
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(coded, &mut out).then_some(out)
    }

    #[test]
    fn the_examples_of_the_specification() {
        // RFC 7541, C.4 and C.6.
        let table: [(&[u8], &str); 5] = [
            (b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", "custom-key"),
            (b"\x64\x02", "302"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ];
        for (coded, text) in table {
            assert_eq!(decoded(coded).as_deref(), Some(text.as_bytes()));
            assert_eq!(encoded(text.as_bytes()), coded);
        }
    }

    #[test]
    fn a_string_ends_in_less_than_a_byte_of_ones() {
        assert_eq!(decoded(b""), Some(Vec::new()));
        // `0` is five zeros.
        assert_eq!(decoded(b"\x07"), Some(b"0".to_vec()));
        for wrong in [
            &b"\x00"[..],
            b"\x06",
            b"\xff",
            b"\x07\xff",
            b"\xff\xff\xff\xff",
            b"\xff\xff\xff\xfc",
        ] {
            assert_eq!(decoded(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back(text: Vec<u8>) {
            prop_assert_eq!(decoded(&encoded(&text)), Some(text));
        }

        #[test]
        fn any_bytes_are_a_string_or_none(bytes: Vec<u8>) {
            if let Some(text) = decoded(&bytes) {
                prop_assert_eq!(encoded(&text), bytes);
            }
        }
    }
}
