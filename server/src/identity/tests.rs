//! Sign-up and keys, on both engines, stopped between any two steps.

mod change;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use millrace_chassis::id::Ids;
use millrace_chassis::idempotency::ClaimError;
use millrace_chassis::shard::{StoreError, UserId};
use millrace_proto::identity::v1::User;

use super::store::email::{self, ACTIVE, EmailRow, RESERVED};
use super::store::user::{self, UserRow};
use super::user::Draft;
use super::{Error, authenticates, create_key, reaper, sign_up};
use crate::field::Check;
use crate::testing::TestPlatform;

crate::testing::on_both_engines!(
    one_address_is_one_user_whoever_comes_first,
    a_retry_goes_on_where_the_first_call_was_killed,
    a_request_id_with_another_body_is_refused_whatever_the_address,
    the_reaper_frees_an_address_and_stops_the_call_that_slept,
    an_expired_reservation_gives_way_without_the_reaper,
    the_reaper_keeps_the_address_of_a_user_who_is_there,
    a_key_works_until_it_is_revoked_and_only_as_it_is,
    a_key_number_that_is_taken_is_drawn_again,
);

fn draft(name: &str, email: &str) -> Draft {
    let user = User {
        display_name: name.to_owned(),
        email: email.to_owned(),
        ..Default::default()
    };
    Draft::read(&user, &mut Check::default()).unwrap()
}

fn request(key: &str, hash: u8) -> sign_up::Request {
    sign_up::Request {
        key: key.to_owned(),
        hash: [hash; 32],
    }
}

async fn address(test: &TestPlatform, email: &str) -> Option<EmailRow> {
    let mut conn = test.platform.shards.global().read().await.unwrap();
    email::by_address(&mut conn, email).await.unwrap()
}

async fn row(test: &TestPlatform, user: i64) -> Option<UserRow> {
    let scope = test.platform.shards.for_user(UserId::new(user).unwrap());
    user::any(&mut scope.read().await.unwrap()).await.unwrap()
}

/// Does the first step of a sign-up only, as a call that is killed after it.
async fn reserve(test: &TestPlatform, draft: &Draft, request: Option<&sign_up::Request>) -> EmailRow {
    let row = EmailRow {
        email_norm: draft.email.normal.clone(),
        user_id: test.platform.ids.user_id().get(),
        state: RESERVED,
        request_key: request.map(|request| request.key.clone()),
        request_hash: request.map(|request| request.hash.to_vec()),
        expires_at: test.platform.clock.now_us() + sign_up::RESERVATION_US,
    };
    let mut conn = test.platform.shards.global().write().await.unwrap();
    assert!(email::reserve(&mut conn, &row).await.unwrap());
    row
}

/// Does the second step of a sign-up only.
async fn insert(test: &TestPlatform, draft: &Draft, reservation: &EmailRow) -> bool {
    let user = reservation.user().unwrap();
    let new = UserRow::new(user, &draft.display_name, &draft.email, 1);
    let scope = test.platform.shards.for_user(user);
    user::insert(&mut scope.write().await.unwrap(), &new).await.unwrap()
}

async fn one_address_is_one_user_whoever_comes_first(test: &TestPlatform) {
    let ada = draft("Ada", "ada@example.com");
    let outcomes = join_all((0..12).map(|_| sign_up::sign_up(&test.platform, &ada, None))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = |outcome: &Result<UserRow, Error>| matches!(outcome, Ok(_) | Err(Error::EmailTaken(_)));
    assert!(outcomes.iter().all(refused), "{outcomes:?}");
    let other_case = draft("Ada", "ADA@EXAMPLE.COM");
    let outcome = sign_up::sign_up(&test.platform, &other_case, None).await;
    assert!(matches!(outcome, Err(Error::EmailTaken(_))), "{outcome:?}");
    assert_eq!(address(test, "ada@example.com").await.unwrap().state, ACTIVE);
}

async fn a_retry_goes_on_where_the_first_call_was_killed(test: &TestPlatform) {
    // Killed after the first step, after the second, and not at all.
    for (step, email) in ["a@example.com", "b@example.com", "c@example.com"].iter().enumerate() {
        let (draft, request) = (draft("Ada", email), request(&format!("/{step}"), 1));
        let first = match step {
            2 => {
                sign_up::sign_up(&test.platform, &draft, Some(&request))
                    .await
                    .unwrap()
                    .user_id
            }
            _ => {
                let reservation = reserve(test, &draft, Some(&request)).await;
                if step == 1 {
                    assert!(insert(test, &draft, &reservation).await);
                }
                reservation.user_id
            }
        };
        let again = sign_up::sign_up(&test.platform, &draft, Some(&request)).await.unwrap();
        assert_eq!(again.user_id, first, "{email}");
        let reservation = address(test, email).await.unwrap();
        assert_eq!((reservation.user_id, reservation.state), (first, ACTIVE), "{email}");
    }
}

async fn a_request_id_with_another_body_is_refused_whatever_the_address(test: &TestPlatform) {
    let first = request("/a1", 1);
    sign_up::sign_up(&test.platform, &draft("Ada", "ada@example.com"), Some(&first))
        .await
        .unwrap();
    for email in ["ada@example.com", "other@example.com"] {
        let outcome = sign_up::sign_up(&test.platform, &draft("Ada", email), Some(&request("/a1", 2))).await;
        assert!(
            matches!(outcome, Err(Error::Claim(ClaimError::Reused))),
            "{email}: {outcome:?}"
        );
    }
    assert_eq!(address(test, "other@example.com").await, None);
}

async fn the_reaper_frees_an_address_and_stops_the_call_that_slept(test: &TestPlatform) {
    let ada = draft("Ada", "ada@example.com");
    let slept = reserve(test, &ada, None).await;
    reaper::sweep(&test.platform).await.unwrap();
    assert!(address(test, "ada@example.com").await.is_some(), "not before its time");

    test.clock.advance_us(sign_up::RESERVATION_US);
    reaper::sweep(&test.platform).await.unwrap();
    assert_eq!(address(test, "ada@example.com").await, None);
    let second = sign_up::sign_up(&test.platform, &ada, None).await.unwrap();
    // The first call wakes up: it must not make a second user of this address.
    assert!(!insert(test, &ada, &slept).await);
    assert_eq!(row(test, slept.user_id).await.unwrap().tombstone, 1);
    assert_eq!(address(test, "ada@example.com").await.unwrap().user_id, second.user_id);
}

async fn an_expired_reservation_gives_way_without_the_reaper(test: &TestPlatform) {
    let ada = draft("Ada", "ada@example.com");
    reserve(test, &ada, None).await;
    assert!(matches!(
        sign_up::sign_up(&test.platform, &ada, None).await,
        Err(Error::EmailTaken(_))
    ));
    test.clock.advance_us(sign_up::RESERVATION_US);
    assert!(sign_up::sign_up(&test.platform, &ada, None).await.is_ok());
}

async fn the_reaper_keeps_the_address_of_a_user_who_is_there(test: &TestPlatform) {
    let ada = draft("Ada", "ada@example.com");
    let reservation = reserve(test, &ada, None).await;
    assert!(insert(test, &ada, &reservation).await);
    test.clock.advance_us(sign_up::RESERVATION_US);
    reaper::sweep(&test.platform).await.unwrap();
    let settled = address(test, "ada@example.com").await.unwrap();
    assert_eq!((settled.user_id, settled.state), (reservation.user_id, ACTIVE));
}

async fn a_key_works_until_it_is_revoked_and_only_as_it_is(test: &TestPlatform) {
    let user = sign_up::sign_up(&test.platform, &draft("Ada", "ada@example.com"), None)
        .await
        .unwrap();
    let id = UserId::new(user.user_id).unwrap();
    let key = create_key(&test.platform, id, "dev", "laptop", true).await.unwrap();
    let caller = authenticates(&test.platform, &key.text).await.unwrap().unwrap();
    assert_eq!((caller.user(), caller.is_admin()), (Some(id), true));

    let parts = super::key_text::KeyText::read(&key.text).unwrap();
    let other_secret = super::key_text::KeyText {
        secret: [0; 32],
        ..parts
    }
    .write("dev");
    let other_key = super::key_text::KeyText {
        key_id: parts.key_id + 1,
        ..parts
    }
    .write("dev");
    for wrong in [other_secret.as_str(), &other_key, "mr_dev_x", ""] {
        assert_eq!(authenticates(&test.platform, wrong).await.unwrap(), None, "{wrong}");
    }

    let scope = test.platform.shards.for_user(id);
    let mut conn = scope.write().await.unwrap();
    let revoked = super::store::key::revoke(&mut conn, parts.key_id, 7)
        .await
        .unwrap()
        .unwrap();
    let again = super::store::key::revoke(&mut conn, parts.key_id, 8)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((revoked.revoked_at, again.revoked_at), (Some(7), Some(7)));
    drop(conn);
    assert_eq!(authenticates(&test.platform, &key.text).await.unwrap(), None);

    let nobody = test.platform.ids.user_id();
    let outcome = create_key(&test.platform, nobody, "dev", "", false).await;
    assert!(matches!(outcome, Err(Error::NotFound(_))), "{outcome:?}");
}

async fn a_key_number_that_is_taken_is_drawn_again(test: &TestPlatform) {
    let mut platform = test.platform.clone();
    let user = sign_up::sign_up(&platform, &draft("Ada", "ada@example.com"), None).await;
    let user = UserId::new(user.unwrap().user_id).unwrap();
    // The clock stands, so the number of a key hangs on its random bits alone. A key takes two draws: its number and
    // its secret; four in a row are alike, so the second key meets the number of the first.
    let draws = AtomicUsize::new(0);
    let entropy = move |buffer: &mut [u8]| buffer.fill((draws.fetch_add(1, Ordering::Relaxed) / 4) as u8);
    platform.ids = Ids::new(test.clock.clone(), Arc::new(entropy));
    let first = create_key(&platform, user, "test", "", false).await.unwrap();
    let second = create_key(&platform, user, "test", "", false).await.unwrap();
    assert_ne!(first.name, second.name);
    for key in [&first, &second] {
        assert!(
            authenticates(&platform, &key.text).await.unwrap().is_some(),
            "{}",
            key.name
        );
    }

    // Numbers that never change end in an error, not in a loop.
    platform.ids = Ids::new(test.clock.clone(), Arc::new(|buffer: &mut [u8]| buffer.fill(0)));
    let stuck = create_key(&platform, user, "test", "", false).await;
    assert!(
        matches!(stuck, Err(Error::Store(StoreError::Duplicate { .. }))),
        "{stuck:?}"
    );
}
