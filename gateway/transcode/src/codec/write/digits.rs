//! Decimal digits, eight at a time in one word: fewer steps than digit by digit, and none of them a branch.

const HUNDRED_MILLIONS: u64 = 100_000_000;
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// The longest text of a number that [`decimal`] writes, filled up to whole words.
pub(crate) const DECIMAL_BYTES: usize = 24;

/// The eight digits of a number below 100,000,000, with leading zeros.
#[inline]
pub(crate) fn eight(number: u32) -> [u8; 8] {
    (values(number) + ASCII_ZEROS).to_le_bytes()
}

/// Writes a number to the front of `to`, and returns how many digits it has; what is behind them is garbage.
#[inline]
pub(crate) fn decimal(number: u64, to: &mut [u8; DECIMAL_BYTES]) -> usize {
    match number {
        // Most numbers are small.
        0..10 => {
            to[0] = b'0' + number as u8;
            1
        }
        10..HUNDRED_MILLIONS => up_to_eight(number as u32, to),
        _ => long(number, to),
    }
}

#[inline(never)]
fn long(number: u64, to: &mut [u8; DECIMAL_BYTES]) -> usize {
    let (above, last) = (number / HUNDRED_MILLIONS, (number % HUNDRED_MILLIONS) as u32);
    let length = if above < HUNDRED_MILLIONS {
        up_to_eight(above as u32, to)
    } else {
        let first = up_to_eight((above / HUNDRED_MILLIONS) as u32, to);
        to[first..first + 8].copy_from_slice(&eight((above % HUNDRED_MILLIONS) as u32));
        first + 8
    };
    to[length..length + 8].copy_from_slice(&eight(last));
    length + 8
}

#[inline]
fn up_to_eight(number: u32, to: &mut [u8; DECIMAL_BYTES]) -> usize {
    let values = values(number);
    // The last digit stays, even if it is zero.
    let zeros = (values | 1 << 56).trailing_zeros() / 8;
    to[..8].copy_from_slice(&((values + ASCII_ZEROS) >> (8 * zeros)).to_le_bytes());
    8 - zeros as usize
}

/// The values of eight digits, the first in the lowest byte. Split in halves three times, all parts at once: a division
/// by a constant is a multiplication and a shift, and no part grows into the next.
#[inline]
fn values(number: u32) -> u64 {
    let number = u64::from(number);
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 5_243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_below_ten_thousand_in_both_halves() {
        for number in 0..10_000_u32 {
            let both = number * 10_000 + 9_999 - number;
            assert_eq!(eight(both).as_slice(), format!("{both:08}").as_bytes());
        }
    }

    #[test]
    fn as_the_standard_library_writes_them() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        let around = powers.flat_map(|power| [power - 1, power, power + 1, power.wrapping_mul(7)]);
        for number in around.chain([u64::MAX, u64::MAX - 1, i64::MAX as u64, u64::from(u32::MAX)]) {
            let mut text = [0; DECIMAL_BYTES];
            let length = decimal(number, &mut text);
            assert_eq!(&text[..length], number.to_string().as_bytes());
        }
    }
}
