//! How fast and how long: `2/s`, `30s`. Everything that is accepted can be slept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Fastest rate: beyond it this one process is what is measured.
const PER_SECOND_MAX: f64 = 10_000.0;
/// Longest time between two orders.
const PERIOD_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Longest run.
const LASTING_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A number of orders per time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    number: f64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    fn read(text: &str) -> Option<Self> {
        match text {
            "s" => Some(Self::Second),
            "m" => Some(Self::Minute),
            "h" => Some(Self::Hour),
            _ => None,
        }
    }

    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }
}

impl Rate {
    /// The time from one order to the next.
    pub(super) fn period(self) -> Duration {
        // Checked when it was read; what rounding may still do ends at the bound.
        Duration::try_from_secs_f64(f64::from(self.unit.seconds()) / self.number).unwrap_or(PERIOD_MAX)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "give a number per second, minute or hour, as in `2/s`, `30/m` or `1/h`: at most 10000/s, at least one a day"
                .to_owned()
        };
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let unit = Unit::read(unit).ok_or_else(wrong)?;
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let per_second = number / f64::from(unit.seconds());
        // False for what is no number, too.
        if per_second >= 1.0 / PERIOD_MAX.as_secs_f64() && per_second <= PER_SECOND_MAX {
            Ok(Self { number, unit })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "second",
            Unit::Minute => "minute",
            Unit::Hour => "hour",
        };
        write!(f, "{} orders a {unit}", self.number)
    }
}

/// Reads a time: digits and one unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give seconds, minutes or hours, as in `30s`, `5m` or `1h`: at least 1s, at most 720h".to_owned();
    let at = text.len().checked_sub(1).ok_or_else(wrong)?;
    let (number, unit) = text.split_at_checked(at).ok_or_else(wrong)?;
    let unit = Unit::read(unit).ok_or_else(wrong)?;
    if !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit.seconds().into())
        .map(Duration::from_secs)
        .filter(|lasting| !lasting.is_zero() && *lasting <= LASTING_MAX)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units_and_bounds() {
        for (text, expected_ms) in [
            ("2/s", Some(500)),
            ("30/m", Some(2_000)),
            ("0.5/s", Some(2_000)),
            ("1/h", Some(3_600_000)),
            ("10000/s", Some(0)),
            ("1e-30/s", None),
            ("1e-5/s", None),
            ("0/s", None),
            ("-1/s", None),
            ("NaN/s", None),
            ("inf/s", None),
            ("-inf/s", None),
            ("2", None),
            ("/s", None),
            ("2/d", None),
            ("2/ss", None),
            ("10001/s", None),
            ("1e300/s", None),
        ] {
            let period = text.parse::<Rate>().ok().map(|rate| rate.period().as_millis());
            assert_eq!(period, expected_ms, "{text}");
        }
        assert_eq!("30/m".parse::<Rate>().unwrap().to_string(), "30 orders a minute");
    }

    #[test]
    fn times_are_digits_and_one_unit() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("0s", None),
            ("5", None),
            ("s", None),
            ("", None),
            ("30sss", None),
            ("+5s", None),
            ("-5s", None),
            ("1.5s", None),
            ("5\u{e9}", None),
            ("721h", None),
            ("99999999999999999999h", None),
            ("9223372036854775807s", None),
        ] {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_secs), "{text:?}");
        }
    }
}
