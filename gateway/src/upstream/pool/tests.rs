//! Which connection a call is given, and how long it waits for one.

use super::*;
use crate::upstream::http2;

fn sender() -> Sender {
    let (near, _) = tokio::io::duplex(1);
    http2::Connection::new(near, &http2::config()).0
}

#[tokio::test]
async fn a_connection_that_may_be_dead_is_the_last_choice() {
    let pool = Pool::new(1);
    let wait = Duration::from_secs(60);
    let one = pool.join(sender(), Heard::default(), 2, 0);
    let other = pool.join(sender(), Heard::default(), 1, 0);
    let is_on = |lease: &Lease, joined: &Joined| Arc::ptr_eq(&lease.gauge, &joined.gauge);

    let silent = pool.lease(wait).await.unwrap();
    assert!(is_on(&silent, &one));
    silent.suspect_silence();
    drop(silent);
    let second = pool.lease(wait).await.unwrap();
    assert!(is_on(&second, &other));
    let third = pool.lease(wait).await.unwrap();
    assert!(is_on(&third, &one), "better than none");
    drop((second, third));
    one.gauge.trust();
    assert!(is_on(&pool.lease(wait).await.unwrap(), &one));
}

#[tokio::test]
async fn a_connection_whose_server_does_not_read_is_the_last_choice_but_the_dead() {
    let pool = Pool::new(1);
    let wait = Duration::from_secs(60);
    let one = pool.join(sender(), Heard::default(), 4, 0);
    let other = pool.join(sender(), Heard::default(), 2, 0);
    let is_on = |lease: &Lease, joined: &Joined| Arc::ptr_eq(&lease.gauge, &joined.gauge);

    let unread = pool.lease(wait).await.unwrap();
    assert!(is_on(&unread, &one));
    let mut progress = unread.progress();
    progress.set_stalled(true);
    let second = pool.lease(wait).await.unwrap();
    let third = pool.lease(wait).await.unwrap();
    assert!(is_on(&second, &other) && is_on(&third, &other), "however many it has");
    let fourth = pool.lease(wait).await.unwrap();
    assert!(is_on(&fourth, &one), "better than none");
    drop((second, fourth));
    third.suspect_silence();
    assert!(is_on(&pool.lease(wait).await.unwrap(), &one), "better than a dead one");
    drop(progress);
    other.gauge.trust();
    drop(third);
    assert!(is_on(&pool.lease(wait).await.unwrap(), &other), "as ever");
}

#[tokio::test]
async fn a_further_connection_has_only_what_the_others_cannot_take() {
    let pool = Pool::new(1);
    let wait = Duration::from_secs(60);
    let further = pool.join(sender(), Heard::default(), 4, 1);
    let kept = pool.join(sender(), Heard::default(), 2, 0);
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(pool.lease(wait).await.unwrap());
    }
    assert_eq!((kept.gauge.in_use(), further.gauge.in_use()), (2, 1));
}

#[tokio::test]
async fn a_call_waits_for_a_place_as_long_as_for_a_connection() {
    let pool = Pool::new(1);
    let wait = Duration::from_millis(5);
    assert_eq!(pool.lease(wait).await.err(), Some(NoPlace::Unreachable));
    let _joined = pool.join(sender(), Heard::default(), 1, 0);
    let lease = pool.lease(wait).await.unwrap();
    assert_eq!(pool.lease(wait).await.err(), Some(NoPlace::Full));
    drop(lease);
    assert!(pool.lease(wait).await.is_ok());
}

#[tokio::test]
async fn a_connection_on_which_a_call_could_not_be_sent_is_the_last_choice_until_one_is_answered() {
    let pool = Pool::new(1);
    let wait = Duration::from_secs(60);
    let one = pool.join(sender(), Heard::default(), 4, 0);
    let other = pool.join(sender(), Heard::default(), 2, 0);
    let is_on = |lease: &Lease, joined: &Joined| Arc::ptr_eq(&lease.gauge, &joined.gauge);

    let unanswered = pool.lease(wait).await.unwrap();
    assert!(is_on(&unanswered, &one));
    unanswered.note_unanswered(false);
    drop(unanswered);
    let unsent = pool.lease(wait).await.unwrap();
    assert!(
        is_on(&unsent, &one) && unsent.is_questioned(),
        "a slow server may be the reason"
    );
    unsent.note_unanswered(true);
    one.gauge.given_up().await;
    drop(unsent);
    let second = pool.lease(wait).await.unwrap();
    let third = pool.lease(wait).await.unwrap();
    assert!(is_on(&second, &other) && is_on(&third, &other), "however many it has");
    let fourth = pool.lease(wait).await.unwrap();
    assert!(is_on(&fourth, &one), "better than none");
    fourth.note_served();
    drop(fourth);
    assert!(is_on(&pool.lease(wait).await.unwrap(), &one), "as ever");
}
