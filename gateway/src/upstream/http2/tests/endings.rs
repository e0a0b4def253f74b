//! How connections and streams end.

use super::*;

#[tokio::test]
async fn a_server_that_leaves_has_not_looked_at_later_streams() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let (mut first, mut second) = (driven.open("", true).unwrap(), driven.open("", true).unwrap());
    // As servers do that close in peace: first that they will, then what they have seen.
    script.say(&goaway(0x7fff_ffff, 0)).await;
    settle(&driven).await;
    let why = [&goaway(1, 0)[HEADER_BYTES..], b"why"].concat();
    script.say(&raw(kind::GOAWAY, 0, 0, &why)).await;
    let error = head(&mut second).await.unwrap_err();
    assert!(matches!(error, Error::Unprocessed(Reason::NO_ERROR)) && error.is_unprocessed());
    assert!(matches!(
        driven.open("", true),
        Err(Error::Leaving(Reason::NO_ERROR, _))
    ));
    script.say(&[ok(1), done(1)].concat()).await;
    head(&mut first).await.unwrap();
    rest(&mut first).await.unwrap();
    drop((first, second));
    assert!(matches!(driven.ended.await.unwrap(), Ok(())));
}

#[tokio::test]
async fn a_connection_that_breaks_ends_its_streams_after_what_came() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answers = [1, 3, 5].map(|_| driven.open("", true).unwrap());
    script
        .say(
            &[
                ok(1),
                raw(kind::DATA, 0, 1, b"abc"),
                ok(3),
                done(3),
                raw(kind::DATA, 0, 5, b"cut")[..10].to_vec(),
            ]
            .concat(),
        )
        .await;
    settle(&driven).await;
    drop(script);
    assert!(
        matches!(driven.ended.await.unwrap(), Err(Error::Io(_))),
        "in the middle of a frame"
    );
    let [first, second, third] = &mut answers;
    head(first).await.unwrap();
    assert_eq!(frame(first).await.unwrap().unwrap().into_data().unwrap(), "abc");
    let error = frame(first).await.unwrap_err();
    assert!(matches!(error, Error::Io(_)) && !error.is_unprocessed());
    head(second).await.unwrap();
    assert!(rest(second).await.unwrap().1.is_some(), "it had come");
    assert!(matches!(head(third).await, Err(Error::Io(_))));
}

#[tokio::test]
async fn a_connection_that_is_dropped_ends_its_streams() {
    let (_script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", true).unwrap();
    driven.ended.abort();
    assert!(matches!(head(&mut answer).await, Err(Error::Closed)));
    assert!(matches!(driven.open("", true), Err(Error::Closed)));
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_read() {
    /// Reads what is there, and cannot be written.
    struct Half(DuplexStream);

    impl AsyncRead for Half {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Half {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    let (near, mut far) = tokio::io::duplex(64 << 10);
    let (sender, mut connection) = Connection::new(Half(near), &config());
    let call = Block::new("/a.A/Do", 0);
    let timeout = HeaderValue::from_static("1S");
    let open = || sender.clone().open(&call, &timeout, Bytes::new(), true).unwrap();
    let (mut first, mut second) = (open(), open());
    let said = [raw(kind::SETTINGS, 0, 0, &[]), ok(1), done(1), goaway(1, 0)].concat();
    far.write_all(&said).await.unwrap();
    assert!(matches!(poll_fn(|cx| connection.poll(cx)).await, Err(Error::Io(_))));
    head(&mut first).await.unwrap();
    assert!(rest(&mut first).await.unwrap().1.is_some());
    assert!(head(&mut second).await.unwrap_err().is_unprocessed());
}

#[tokio::test]
async fn a_connection_says_why_its_server_left() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", true).unwrap();
    let why = [
        &1_u32.to_be_bytes()[..],
        &0xb_u32.to_be_bytes(),
        b"too_many_pings\n\xff",
    ]
    .concat();
    script.say(&raw(kind::GOAWAY, 0, 0, &why)).await;
    settle(&driven).await;
    drop(script);
    let told = r#"the server leaves: ENHANCE_YOUR_CALM, "too_many_pings\n\xff""#;
    let is_told = |error: &Error| error.to_string() == told;
    assert!(is_told(&driven.ended.await.unwrap().unwrap_err()));
    let error = head(&mut answer).await.unwrap_err();
    assert!(is_told(&error) && !error.is_unprocessed());
}

#[tokio::test]
async fn a_connection_says_so_too_when_no_call_was_left() {
    let (mut script, driven) = Script::greeted(&[]).await;
    script.say(&goaway(0, Reason::ENHANCE_YOUR_CALM.0)).await;
    let ended = driven.ended.await.unwrap();
    assert!(matches!(ended, Err(Error::Leaving(Reason::ENHANCE_YOUR_CALM, _))));
}

#[tokio::test]
async fn a_connection_that_is_left_while_nothing_goes_on_ends() {
    let (mut script, mut driven) = Script::greeted(&[]).await;
    script.frames(&driven).await;
    driven.leave();
    let goodbye = script.frames(&driven).await;
    assert_eq!(goodbye, [(kind::GOAWAY, 0, 0, vec![0; 8])]);
    assert!(driven.ended.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_cut_and_its_answer_is_whole() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let mut answer = driven.open("", false).unwrap();
    let mut body = answer.body();
    assert!(body.send(Bytes::from_static(b"abc"), false));
    let said = [
        ok(1),
        raw(kind::DATA, 0, 1, b"answer"),
        done(1),
        raw(kind::RST_STREAM, 0, 1, &[0; 4]),
    ];
    script.say(&said.concat()).await;
    poll_fn(|cx| body.poll_unwanted(cx)).await;
    assert!(!body.send(Bytes::from_static(b"more"), false));
    head(&mut answer).await.unwrap();
    let (found, trailers) = rest(&mut answer).await.unwrap();
    assert_eq!((found, trailers.is_some()), (b"answer".to_vec(), true));
    script.frames(&driven).await;
    drop(answer);
    assert_eq!(script.frames(&driven).await, [], "it is over both ways");
}

#[tokio::test]
async fn when_no_number_is_left_another_connection_is_needed() {
    let (_script, driven) = Script::greeted(&[]).await;
    driven.sender.skip_to(0x7fff_ffff);
    let last = driven.open("", true).unwrap();
    assert!(matches!(driven.open("", true), Err(Error::Closed)));
    drop(last);
    assert!(driven.ended.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_ping_is_answered_or_not() {
    let (mut script, driven) = Script::greeted(&[]).await;
    let pings = driven.sender.pings();
    let asked = tokio::spawn(async move { pings.ping().await });
    let frames = script.frames(&driven).await;
    let (.., payload) = frames
        .iter()
        .find(|(kind, flags, ..)| (*kind, *flags) == (kind::PING, 0))
        .unwrap();
    script.say(&raw(kind::PING, flag::ACK, 0, &[9; 8])).await;
    settle(&driven).await;
    assert!(!asked.is_finished(), "the answer to another");
    script.say(&raw(kind::PING, flag::ACK, 0, payload)).await;
    asked.await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_server_says_every_call_ends(
        frames in prop::collection::vec(
            (0..11_u8, any::<u8>(), 0..6_u32, prop::collection::vec(any::<u8>(), 0..40)),
            0..40,
        ),
        tail: Vec<u8>,
        pipe in 1..2_000_usize,
        cut in 1..5_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(pipe);
            let (mut hears, mut says) = tokio::io::split(far);
            let driven = drive(near);
            let mut first = driven.open(bytes(70_000), true).unwrap();
            let mut second = driven.open("", false).unwrap();
            let mut said = raw(kind::SETTINGS, 0, 0, &[]);
            said.extend(frames.iter().flat_map(|(kind, flags, stream, payload)| raw(*kind, *flags, *stream, payload)));
            said.extend_from_slice(&tail);
            let mut heard = [0; 500];
            for part in said.chunks(cut) {
                let mut rest = part;
                while !rest.is_empty() {
                    tokio::select! {
                        written = says.write(rest) => match written {
                            Ok(written) => rest = &rest[written..],
                            Err(_) => break,
                        },
                        read = hears.read(&mut heard) => if !matches!(read, Ok(1..)) {
                            break;
                        },
                    }
                }
                tokio::task::yield_now().await;
            }
            drop((hears, says));
            let _ = driven.ended.await.unwrap();
            for answer in [&mut first, &mut second] {
                if head(answer).await.is_ok() {
                    let _ = rest(answer).await;
                }
            }
        });
    }
}
