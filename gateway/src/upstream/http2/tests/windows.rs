//! Windows, and what waits for them.

use super::*;

#[tokio::test]
async fn a_call_that_was_answered_unread_is_reset() {
    let (mut script, driven) = Script::greeted(&[(setting::INITIAL_WINDOW_SIZE, 3)]).await;
    let mut answer = driven.open("unread", true).unwrap();
    let sent = script.frames(&driven).await;
    assert_eq!(
        sent.last(),
        Some(&(kind::DATA, 0, 1, b"unr".to_vec())),
        "what its window takes"
    );
    script.say(&[ok(1), done(1)].concat()).await;
    head(&mut answer).await.unwrap();
    rest(&mut answer).await.unwrap();
    drop(answer);
    assert_eq!(script.frames(&driven).await, [reset(1, Reason::CANCEL)]);
}

#[tokio::test]
async fn windows_that_change_count_for_streams_that_are_open() {
    let (mut script, driven) = Script::greeted(&[(setting::INITIAL_WINDOW_SIZE, 5)]).await;
    let _answer = driven.open("0123456789abcdef", true).unwrap();
    let data = |bytes: &[u8], ends| (kind::DATA, u8::from(ends), 1, bytes.to_vec());
    assert_eq!(script.frames(&driven).await.last(), Some(&data(b"01234", false)));
    let ack = (kind::SETTINGS, flag::ACK, 0, Vec::new());
    // Below nothing, and from there up again.
    script.say(&raw(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 2])).await;
    assert_eq!(script.frames(&driven).await, std::slice::from_ref(&ack));
    script.say(&raw(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 3])).await;
    assert_eq!(script.frames(&driven).await, []);
    script.say(&raw(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 4])).await;
    assert_eq!(script.frames(&driven).await, [data(b"56", false), ack.clone()]);
    script.say(&raw(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 1, 0])).await;
    assert_eq!(script.frames(&driven).await, [data(b"789abcdef", true)]);
}

#[tokio::test]
async fn streams_that_wait_for_the_connections_window_have_their_turns() {
    let (mut script, driven) = Script::greeted(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    let calls: Vec<_> = (0..3).map(|_| driven.open(bytes(65_535), true).unwrap()).collect();
    let sent = |frames: Vec<(u8, u8, u32, Vec<u8>)>| {
        let mut sent = std::collections::BTreeMap::<u32, usize>::new();
        for (_, _, stream, data) in frames.into_iter().filter(|(kind, ..)| *kind == kind::DATA) {
            *sent.entry(stream).or_default() += data.len();
        }
        sent.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(sent(script.frames(&driven).await), [(1, 65_535)]);
    let mut pumped = driven.open("", false).unwrap();
    let mut body = pumped.body();
    assert!(body.send(Bytes::from_static(b"0123456789"), true));
    let last = driven.open(bytes(65_535), true).unwrap();
    let pump = tokio::spawn(async move { poll_fn(|cx| body.poll_sent(cx)).await });
    let open = |bytes: u32| raw(kind::WINDOW_UPDATE, 0, 0, &bytes.to_be_bytes());
    script.say(&open(65_535 + 5)).await;
    assert_eq!(sent(script.frames(&driven).await), [(3, 65_535), (5, 5)]);
    // One that is given up gives up its turn; those that were first come first.
    drop(calls);
    script.frames(&driven).await;
    assert!(!pump.is_finished());
    script.say(&open(15)).await;
    assert_eq!(sent(script.frames(&driven).await), [(7, 10), (9, 5)]);
    assert!(pump.await.unwrap());
    script.say(&[ok(7), done(7)].concat()).await;
    head(&mut pumped).await.unwrap();
    drop(last);
}

#[tokio::test]
async fn a_server_that_reads_nothing_is_sent_no_more_than_there_is_room_for() {
    let windows = [(setting::INITIAL_WINDOW_SIZE, i32::MAX.cast_unsigned())];
    let (near, mut far) = tokio::io::duplex(1 << 10);
    let mut greeting = Vec::new();
    put_settings(&mut greeting, &windows);
    put_window_update(&mut greeting, 0, 1 << 30);
    let heard = tokio::spawn(async move {
        far.write_all(&greeting).await.unwrap();
        far
    });
    let driven = drive(near);
    let mut far = heard.await.unwrap();
    settle(&driven).await;
    let answer = driven.open(bytes(10 << 20), true).unwrap();
    settle(&driven).await;
    let waiting = answer.waiting_bytes();
    assert!(waiting <= (256 << 10) + (16 << 10), "{waiting}");
    // Heads are bounded too, also of calls that are given up.
    let refused = (0..100_000).find_map(|_| driven.open("", true).err());
    assert!(matches!(refused, Some(Error::Unread)));
    let waiting = answer.waiting_bytes();
    assert!(waiting <= (384 << 10) + (16 << 10), "{waiting}");
    // Nor is it read while it has that much to read itself.
    let pings = raw(kind::PING, 0, 0, &[0; 8]).repeat(1_000_000);
    let flood = tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_millis(200), far.write_all(&pings)).await;
        far
    });
    let _far = flood.await.unwrap();
    let waiting = answer.waiting_bytes();
    assert!(waiting <= (512 << 10) + (64 << 10), "{waiting}");
}

#[tokio::test]
async fn padding_is_given_back_though_nobody_reads() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let _answer = driven.open("", true).unwrap();
    script.frames(&driven).await;
    let padding = raw(kind::DATA, flag::PADDED, 1, &[&[255][..], &[0; 255]].concat());
    script.say(&[ok(1), padding.repeat(1_000)].concat()).await;
    let given: u32 = script
        .frames(&driven)
        .await
        .into_iter()
        .map(|(kind, _, stream, payload)| {
            assert_eq!((kind, stream), (kind::WINDOW_UPDATE, 1));
            u32::from_be_bytes(payload.try_into().unwrap())
        })
        .sum();
    assert!((256_000 - 32_768..=256_000).contains(&given), "{given}");
}

#[tokio::test]
async fn short_frames_that_nobody_reads_cost_their_bytes() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", true).unwrap();
    script
        .say(&[ok(1), raw(kind::DATA, 0, 1, b"a").repeat(60_000), done(1)].concat())
        .await;
    head(&mut answer).await.unwrap();
    settle(&driven).await;
    let chunk = frame(&mut answer).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(chunk, vec![b'a'; 60_000]);
}

#[tokio::test]
async fn what_comes_is_said_to_have_come_though_nobody_reads() {
    let (mut script, driven) = Script::greeted(&[]).await;
    drop(driven.open("", true).unwrap());
    script.frames(&driven).await;
    let half = CONNECTION_WINDOW_BYTES / 2;
    for _ in 0..half / PAYLOAD_BYTES_MAX as u32 {
        assert_eq!(script.frames(&driven).await, []);
        script.say(&raw(kind::DATA, 0, 1, &[0; PAYLOAD_BYTES_MAX])).await;
    }
    let frames = script.frames(&driven).await;
    assert_eq!(frames, [(kind::WINDOW_UPDATE, 0, 0, half.to_be_bytes().to_vec())]);
}

#[tokio::test]
async fn a_window_of_a_call_that_is_over_ends_no_other() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut over = driven.open("", true).unwrap();
    let mut other = driven.open("", true).unwrap();
    let most = frame::WINDOW_MAX as u32 - frame::WINDOW_DEFAULT as u32;
    let mut settings = Vec::new();
    put_settings(
        &mut settings,
        &[(setting::INITIAL_WINDOW_SIZE, frame::WINDOW_DEFAULT as u32 + 1)],
    );
    let said = [
        raw(kind::WINDOW_UPDATE, 0, 1, &most.to_be_bytes()),
        ok(1),
        done(1),
        settings,
        ok(3),
        done(3),
    ];
    script.say(&said.concat()).await;
    for answer in [&mut over, &mut other] {
        head(answer).await.unwrap();
        assert!(rest(answer).await.unwrap().1.is_some());
    }
}
