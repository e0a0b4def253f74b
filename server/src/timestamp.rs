//! Time between the store, which holds microseconds since the Unix epoch, and protobuf.

use prost_types::Timestamp;

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;

/// Makes a protobuf timestamp of microseconds since the Unix epoch.
pub(crate) fn of(at_us: i64) -> Timestamp {
    Timestamp {
        seconds: at_us.div_euclid(SECOND_US),
        nanos: i32::try_from(at_us.rem_euclid(SECOND_US) * 1_000).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_never_negative() {
        for (at_us, seconds, nanos) in [(0, 0, 0), (1_500_001, 1, 500_001_000), (-1, -1, 999_999_000)] {
            assert_eq!(of(at_us), Timestamp { seconds, nanos }, "{at_us}");
        }
    }
}
