//! Numbers in base 62, digits before capitals before small letters: short, and without the characters that part a key.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of the largest `u64`.
const DIGITS_MAX: usize = 11;

/// Writes a number with at least `width` digits.
pub(crate) fn encode(mut number: u64, width: usize) -> String {
    let mut digits = Vec::with_capacity(DIGITS_MAX);
    while number > 0 || digits.len() < width.max(1) {
        // A remainder of 62 always fits.
        digits.push(char::from(DIGITS[(number % 62) as usize]));
        number /= 62;
    }
    digits.iter().rev().collect()
}

/// Reads a number of 1 to 11 digits.
pub(crate) fn decode(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|&digit| digit == byte)?;
        number.checked_mul(62)?.checked_add(u64::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_round_trip() {
        for (number, width, text) in [
            (0, 0, "0"),
            (61, 0, "z"),
            (62, 0, "10"),
            (62, 5, "00010"),
            (u64::MAX, 11, "LygHa16AHYF"),
        ] {
            assert_eq!(encode(number, width), text);
            assert_eq!(decode(text), Some(number), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in ["", "_", "zzzzzzzzzzz", "000000000000", "ä"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
