//! How long a call may take, and its end when the time is over: DEADLINE_EXCEEDED, over streams too. tonic's own
//! timeout guards only the wait for the first byte, answers CANCELLED, and takes a malformed header for none.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use millrace_gateway::parse_grpc_timeout;
use tokio::time::Instant;
use tonic::Status;

use super::current::Current;
use super::refusal::Refusal;
use super::rules::Rule;
use crate::config::Limits;

/// The header by which gRPC callers say how long they wait.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// When the call in progress ends. Whatever waits on its behalf should wait no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// Returns the deadline of the call that this task carries out, `None` outside calls and in calls without one.
    pub fn current() -> Option<Self> {
        Current::get()?.deadline()
    }

    /// Returns the time left, zero if it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The rules of deadlines.
pub(crate) struct Deadlines {
    default: Duration,
    max: Duration,
    stream_max: Option<Duration>,
}

impl Deadlines {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            default: Duration::from_millis(limits.deadline_default_ms),
            max: Duration::from_millis(limits.deadline_max_ms),
            stream_max: (limits.stream_max_ms > 0).then(|| Duration::from_millis(limits.stream_max_ms)),
        }
    }

    /// Returns when a call must have ended. A server stream has only the end that its caller or the settings name.
    pub(crate) fn of(&self, rule: &Rule, headers: &HeaderMap) -> Result<End, Refusal> {
        let asked = asked(headers)?;
        let (timeout, is_life) = if rule.server_streaming() {
            match (asked, self.stream_max) {
                (Some(asked), Some(max)) => (Some(asked.min(max)), max < asked),
                (asked, max) => (asked.or(max), asked.is_none()),
            }
        } else {
            (Some(asked.unwrap_or(self.default).min(self.max)), false)
        };
        // A time too far to be represented is no deadline.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Ok(End {
            deadline: deadline.map(Deadline),
            is_life,
        })
    }
}

/// When a call must have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) deadline: Option<Deadline>,
    /// It is the longest life of a stream, which the caller may go on with, and not what the caller waits at most.
    pub(crate) is_life: bool,
}

/// Runs a call until its deadline; inside, [`Deadline::current`] tells it.
pub(crate) async fn within<T>(
    current: Arc<Current>,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(deadline) = current.deadline() else {
        return current.scope(call).await;
    };
    // `timeout_at` would begin the call before it looks at the clock.
    if deadline.remaining().is_zero() {
        return Err(Refusal::DeadlineExceeded.into());
    }
    match tokio::time::timeout_at(deadline.0, current.scope(call)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::DeadlineExceeded.into()),
    }
}

/// Runs something as a part of a call with a deadline, without being cut at it.
#[cfg(test)]
pub(crate) async fn with_deadline<T>(deadline: Option<Deadline>, part: impl Future<Output = T>) -> T {
    Current::new(deadline, &HeaderMap::new()).scope(part).await
}

/// Reads `grpc-timeout`, a positive integer of at most eight digits and a unit.
pub(crate) fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let parsed = value.to_str().ok().and_then(parse_grpc_timeout);
    match (parsed, values.next()) {
        (Some(timeout), None) => Ok(Some(timeout)),
        _ => Err(Refusal::MalformedTimeout),
    }
}

/// Writes a timeout as `grpc-timeout`, rounded down, so that a hop never gets more time than its caller has.
pub(crate) fn text(timeout: Duration) -> String {
    const LARGEST: u128 = 99_999_999;
    match (timeout.as_micros(), timeout.as_millis()) {
        (micros @ ..=LARGEST, _) => format!("{micros}u"),
        (_, millis @ ..=LARGEST) => format!("{millis}m"),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(GRPC_TIMEOUT, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn timeouts_are_read_exactly_or_refused() {
        let cases: &[(&[&str], Option<Option<Duration>>)] = &[
            (&[], Some(None)),
            (&["1H"], Some(Some(Duration::from_secs(3_600)))),
            (&["2M"], Some(Some(Duration::from_secs(120)))),
            (&["3S"], Some(Some(Duration::from_secs(3)))),
            (&["100m"], Some(Some(Duration::from_millis(100)))),
            (&["5u"], Some(Some(Duration::from_micros(5)))),
            (&["99999999n"], Some(Some(Duration::from_nanos(99_999_999)))),
            (&["0m"], Some(Some(Duration::ZERO))),
            // Refused: no digits, no unit, a unit unknown, nine digits, signs, spaces, fractions, twice.
            (&["abc"], None),
            (&[""], None),
            (&["m"], None),
            (&["100"], None),
            (&["1s"], None),
            (&["123456789m"], None),
            (&["-1S"], None),
            (&["+1S"], None),
            (&[" 1S"], None),
            (&["1.5S"], None),
            (&["1S", "2S"], None),
        ];
        for (values, expected) in cases {
            assert_eq!(asked(&headers(values)).ok(), *expected, "{values:?}");
        }
    }

    #[test]
    fn a_timeout_written_is_never_longer() {
        for timeout in [
            Duration::ZERO,
            Duration::from_nanos(1_999),
            Duration::from_millis(5_000),
            Duration::from_micros(100_000_001),
            Duration::from_secs(100_001),
            Duration::from_secs(u64::MAX),
        ] {
            let read = parse_grpc_timeout(&text(timeout)).unwrap();
            assert!(read <= timeout, "{timeout:?} became {read:?}");
        }
        assert_eq!(text(Duration::from_millis(1_500)), "1500000u");
    }

    #[tokio::test(start_paused = true)]
    async fn the_call_knows_its_deadline_and_ends_by_it() {
        let deadline = Deadline(Instant::now() + Duration::from_secs(1));
        let current = Current::new(Some(deadline), &HeaderMap::new());
        let seen = within(Arc::clone(&current), async { Ok(Deadline::current()) })
            .await
            .unwrap();
        assert_eq!((seen, Deadline::current()), (Some(deadline), None));
        let late = within::<()>(current, std::future::pending()).await.unwrap_err();
        assert_eq!(late.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }
}
