//! Changes of a user, on both engines: stopped between any two steps, sent again, and sent by many at once.

use futures_util::future::join_all;
use millrace_chassis::shard::UserId;
use millrace_proto::identity::v1::User;

use super::{address, draft, request, row};
use crate::identity::store::email::{self, ACTIVE, EmailRow, RESERVED};
use crate::identity::store::user;
use crate::identity::user::Change;
use crate::identity::{Error, reaper, sign_up, update};
use crate::testing::TestPlatform;

crate::testing::on_both_engines!(
    a_change_of_address_frees_the_old_one,
    a_change_that_is_sent_again_is_done_already,
    a_retry_ends_a_change_of_address_that_was_killed,
    the_reaper_ends_a_change_of_address_either_way,
);

fn new_address(email: &str) -> Change {
    Change {
        email: Some(draft("x", email).email),
        ..Change::default()
    }
}

async fn a_change_of_address_frees_the_old_one(test: &TestPlatform) {
    let (ada, request) = (draft("Ada", "ada@example.com"), request("/a1", 1));
    let user = sign_up::sign_up(&test.platform, &ada, Some(&request)).await.unwrap();
    sign_up::sign_up(&test.platform, &draft("Bo", "bo@example.com"), None)
        .await
        .unwrap();
    let scope = test.platform.shards.for_user(UserId::new(user.user_id).unwrap());

    let taken = update::update(&test.platform, &scope, &new_address("bo@example.com"), "").await;
    assert!(matches!(taken, Err(Error::EmailTaken(_))), "{taken:?}");
    let changed = update::update(&test.platform, &scope, &new_address("Eve@example.com"), "")
        .await
        .unwrap();
    assert_eq!((changed.email.as_str(), changed.version), ("Eve@example.com", 2));
    assert_eq!(address(test, "ada@example.com").await, None);
    assert_eq!(address(test, "eve@example.com").await.unwrap().state, ACTIVE);
    // The request that made the user still finds the user.
    let again = sign_up::sign_up(&test.platform, &ada, Some(&request)).await.unwrap();
    assert_eq!((again.user_id, again.email.as_str()), (user.user_id, "Eve@example.com"));
    // And back.
    update::update(&test.platform, &scope, &new_address("ada@example.com"), "")
        .await
        .unwrap();
    assert_eq!(address(test, "eve@example.com").await, None);
}

async fn a_change_that_is_sent_again_is_done_already(test: &TestPlatform) {
    let ada = sign_up::sign_up(&test.platform, &draft("Ada", "ada@example.com"), None)
        .await
        .unwrap();
    let scope = test.platform.shards.for_user(UserId::new(ada.user_id).unwrap());
    let etag = User::from(ada).etag;
    let change = Change {
        display_name: Some("Ada L.".to_owned()),
        ..new_address("eve@example.com")
    };
    let changed = update::update(&test.platform, &scope, &change, &etag).await.unwrap();
    // The answer was lost; the etag is that of before.
    let again = update::update(&test.platform, &scope, &change, &etag).await.unwrap();
    assert_eq!((again, changed.version), (changed.clone(), 2));
    let other = update::update(&test.platform, &scope, &new_address("Eve@example.com"), &etag).await;
    assert!(matches!(other, Err(Error::EtagMismatch(_))), "{other:?}");

    // All at once, by the present etag: each succeeds, and there is one change.
    let (change, etag) = (new_address("bo@example.com"), User::from(changed).etag);
    let outcomes = join_all((0..8).map(|_| update::update(&test.platform, &scope, &change, &etag))).await;
    for outcome in outcomes {
        assert_eq!(outcome.unwrap().version, 3);
    }
    assert_eq!(address(test, "bo@example.com").await.unwrap().state, ACTIVE);
    assert_eq!(address(test, "eve@example.com").await, None);
}

async fn a_retry_ends_a_change_of_address_that_was_killed(test: &TestPlatform) {
    let ada = sign_up::sign_up(&test.platform, &draft("Ada", "ada@example.com"), None)
        .await
        .unwrap();
    let scope = test.platform.shards.for_user(UserId::new(ada.user_id).unwrap());
    let (change, etag) = (new_address("eve@example.com"), User::from(ada.clone()).etag);
    // Killed between the change of the user and the end.
    let mut conn = test.platform.shards.global().write().await.unwrap();
    let reservation = EmailRow {
        email_norm: "eve@example.com".to_owned(),
        user_id: ada.user_id,
        state: RESERVED,
        request_key: None,
        request_hash: None,
        expires_at: test.platform.clock.now_us() + sign_up::RESERVATION_US,
    };
    assert!(email::reserve(&mut conn, &reservation).await.unwrap());
    drop(conn);
    let mut conn = scope.write().await.unwrap();
    let mut present = user::lock(&mut conn).await.unwrap().unwrap();
    change.apply(&mut present, 5);
    user::save(&mut conn, &present).await.unwrap();
    drop(conn);

    let again = update::update(&test.platform, &scope, &change, &etag).await.unwrap();
    assert_eq!(again, present);
    assert_eq!(address(test, "eve@example.com").await.unwrap().state, ACTIVE);
    assert_eq!(address(test, "ada@example.com").await, None);
}

async fn the_reaper_ends_a_change_of_address_either_way(test: &TestPlatform) {
    let user = sign_up::sign_up(&test.platform, &draft("Ada", "ada@example.com"), None)
        .await
        .unwrap();
    let id = UserId::new(user.user_id).unwrap();
    let reservation = |email: &str| EmailRow {
        email_norm: email.to_owned(),
        user_id: user.user_id,
        state: RESERVED,
        request_key: None,
        request_hash: None,
        expires_at: test.platform.clock.now_us(),
    };
    let mut conn = test.platform.shards.global().write().await.unwrap();
    assert!(
        email::reserve(&mut conn, &reservation("never@example.com"))
            .await
            .unwrap()
    );
    drop(conn);
    reaper::sweep(&test.platform).await.unwrap();
    assert_eq!(address(test, "never@example.com").await, None);
    // The call that reserved it wakes up: it read version 1, which is outrun.
    assert_eq!(row(test, user.user_id).await.unwrap().version, 2);

    // The user was changed, then the process was killed.
    let mut conn = test.platform.shards.global().write().await.unwrap();
    assert!(
        email::reserve(&mut conn, &reservation("new@example.com"))
            .await
            .unwrap()
    );
    drop(conn);
    let scope = test.platform.shards.for_user(id);
    let mut conn = scope.write().await.unwrap();
    let mut present = user::lock(&mut conn).await.unwrap().unwrap();
    new_address("new@example.com").apply(&mut present, 5);
    user::save(&mut conn, &present).await.unwrap();
    drop(conn);
    reaper::sweep(&test.platform).await.unwrap();
    assert_eq!(address(test, "new@example.com").await.unwrap().state, ACTIVE);
    assert_eq!(address(test, "ada@example.com").await, None);
}
