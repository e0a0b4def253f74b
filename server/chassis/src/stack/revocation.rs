//! The end of an open stream whose credential was revoked. A stream may live for an hour and more
//! (`limits.stream_max_ms`), so it is asked again, at least once a second, whether its caller is still who it was; as
//! the first time, by one read of the key.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::authentication::{Authentication, Known};
use crate::caller::Caller;

/// Streams that were opened together are not asked together: their periods lie between these two.
const PERIOD_MIN: Duration = Duration::from_millis(700);
const PERIOD_MAX: Duration = Duration::from_millis(900);
/// How long one look may take.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Waits until a credential no longer stands for its caller. While the store does not answer, nothing is known against
/// the caller.
pub(crate) async fn revoked(authentication: Authentication, credential: String, caller: Caller) {
    let period = period();
    loop {
        tokio::time::sleep(period).await;
        match tokio::time::timeout(LOOK_MAX, authentication.look_up(&credential)).await {
            Ok(Ok(Known::As(found))) if found == caller => {}
            Ok(Ok(_)) => return,
            Ok(Err(error)) => tracing::debug!(%error, "the key of an open stream cannot be read now"),
            Err(_) => tracing::debug!("the key of an open stream cannot be read in time"),
        }
    }
}

/// The next period. Steps by the golden ratio fall evenly into the interval, however many there are.
fn period() -> Duration {
    const STEP: u32 = 2_654_435_769;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let fraction = f64::from(NEXT.fetch_add(STEP, Ordering::Relaxed)) / f64::from(u32::MAX);
    PERIOD_MIN + (PERIOD_MAX - PERIOD_MIN).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU8;

    use tokio::time::Instant;

    use super::*;
    use crate::caller::Authenticator;
    use crate::shard::{DatabaseName, StoreError, UserId};

    const WORKS: u8 = 0;
    const FAILS: u8 = 1;
    const HANGS: u8 = 2;
    const REVOKED: u8 = 3;
    const OPERATORS: u8 = 4;

    /// A store with one key.
    struct Store(AtomicU8);

    fn caller(admin: bool) -> Caller {
        Caller::Key {
            user: UserId::new(7).unwrap(),
            key_id: 1,
            admin,
        }
    }

    impl Authenticator for Store {
        fn authenticate<'a>(
            &'a self,
            _: &'a str,
        ) -> Pin<Box<dyn Future<Output = Result<Option<Caller>, StoreError>> + Send + 'a>> {
            Box::pin(async {
                match self.0.load(Ordering::SeqCst) {
                    WORKS => Ok(Some(caller(false))),
                    FAILS => Err(StoreError::Busy {
                        database: DatabaseName::Global,
                    }),
                    HANGS => std::future::pending().await,
                    OPERATORS => Ok(Some(caller(true))),
                    _ => Ok(None),
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_asked_for_once_a_second_and_a_store_that_fails_says_nothing() {
        for end in [REVOKED, OPERATORS] {
            let store = Arc::new(Store(AtomicU8::new(WORKS)));
            let authentication = Authentication(Some(store.clone()));
            let watching = tokio::spawn(revoked(authentication, "mr_1".to_owned(), caller(false)));
            for state in [WORKS, FAILS, HANGS, WORKS] {
                store.0.store(state, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(60)).await;
                assert!(!watching.is_finished(), "{state}");
            }
            let since = Instant::now();
            store.0.store(end, Ordering::SeqCst);
            watching.await.unwrap();
            assert!(since.elapsed() <= Duration::from_secs(1), "{:?}", since.elapsed());
        }
    }

    #[test]
    fn periods_are_spread_and_shorter_than_a_second() {
        let mut periods: Vec<Duration> = (0..100).map(|_| period()).collect();
        periods.sort();
        assert!(periods[0] >= PERIOD_MIN && periods[99] <= PERIOD_MAX);
        let widest = periods.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest < (PERIOD_MAX - PERIOD_MIN) / 20, "{widest:?}");
    }
}
