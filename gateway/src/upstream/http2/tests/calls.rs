//! Calls to h2's server, which keeps the rules.

use super::*;

/// A server that echoes bodies, with windows of so many bytes.
fn echo(io: DuplexStream, window: u32) {
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(64 << 20);
        let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
        while let Some(Ok((request, mut answer))) = connection.accept().await {
            tokio::spawn(async move {
                let (head, mut body) = request.into_parts();
                assert_eq!(head.uri, "http://server:1/a.A/Do");
                assert_eq!(
                    (head.method, &head.headers["te"]),
                    (http::Method::POST, &"trailers".parse().unwrap())
                );
                assert_eq!(head.headers["content-type"], "application/grpc");
                assert_eq!(head.headers["grpc-timeout"], "1S");
                let mut out = answer.send_response(http::Response::new(()), false).unwrap();
                while let Some(Ok(mut data)) = body.data().await {
                    let _ = body.flow_control().release_capacity(data.len());
                    while !data.is_empty() {
                        out.reserve_capacity(data.len());
                        let Some(Ok(room)) = poll_fn(|cx| out.poll_capacity(cx)).await else {
                            return;
                        };
                        let part = data.split_to(room.min(data.len()));
                        out.send_data(part, false).unwrap();
                    }
                }
                let status = HeaderValue::from_static("0");
                out.send_trailers(HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), status)]))
                    .unwrap();
            });
        }
    });
}

#[tokio::test]
async fn bodies_of_every_size_come_back_through_every_window() {
    for window in [1, 100, 65_535, 1 << 20] {
        let (near, far) = tokio::io::duplex(64 << 10);
        echo(far, window);
        let driven = drive(near);
        for length in [0, 1, 100, 16_384, 16_385, 300_000] {
            if length > 1_000 && window < 100 {
                continue;
            }
            let sent = bytes(length);
            let mut answer = driven.open(sent.clone(), true).unwrap();
            let (status, _) = head(&mut answer).await.unwrap();
            let (body, trailers) = rest(&mut answer).await.unwrap();
            assert_eq!((status, body == sent), (StatusCode::OK, true), "{window}, {length}");
            assert_eq!(trailers.unwrap()["grpc-status"], "0");
            assert!(answer.is_read());
        }
    }
}

#[tokio::test]
async fn calls_share_a_connection() {
    let (near, far) = tokio::io::duplex(4 << 10);
    echo(far, 65_535);
    let driven = drive(near);
    let calls = (0..200).map(|index| {
        let sent = bytes(index * 37 % 5_000);
        let mut answer = driven.open(sent.clone(), true).unwrap();
        tokio::spawn(async move {
            head(&mut answer).await.unwrap();
            assert_eq!(rest(&mut answer).await.unwrap().0, sent);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_body_goes_on_as_its_window_opens() {
    let (near, far) = tokio::io::duplex(4 << 10);
    echo(far, 1_000);
    let driven = drive(near);
    let mut answer = driven.open(Bytes::new(), false).unwrap();
    let mut body = answer.body();
    let sent = bytes(50_000);
    let mut left = Bytes::from(sent.clone());
    let pump = tokio::spawn(async move {
        while !left.is_empty() {
            assert!(body.send(left.split_to(3_000.min(left.len())), false));
            assert!(poll_fn(|cx| body.poll_sent(cx)).await);
        }
        assert!(body.send(Bytes::new(), true));
        assert!(!body.send(Bytes::new(), true), "it has ended");
        poll_fn(|cx| body.poll_unwanted(cx)).await;
    });
    head(&mut answer).await.unwrap();
    assert_eq!(rest(&mut answer).await.unwrap().0, sent);
    pump.await.unwrap();
}

#[tokio::test]
async fn a_reader_who_is_slow_holds_up_nobody_else() {
    let (near, far) = tokio::io::duplex(64 << 10);
    echo(far, 1 << 20);
    let driven = drive(near);
    let sent = bytes(1 << 20);
    let mut slow: Vec<_> = (0..20).map(|_| driven.open(sent.clone(), true).unwrap()).collect();
    for answer in &mut slow {
        head(answer).await.unwrap();
    }
    settle(&driven).await;
    let mut quick = driven.open("quick", true).unwrap();
    head(&mut quick).await.unwrap();
    assert_eq!(rest(&mut quick).await.unwrap().0, b"quick");
    for mut answer in slow {
        assert!(rest(&mut answer).await.unwrap().0 == sent);
    }
}

#[tokio::test]
async fn a_stream_that_has_ended_wakes_no_connection() {
    let (near, far) = tokio::io::duplex(64 << 10);
    echo(far, 65_535);
    let driven = drive(near);
    let mut answer = driven.open("abc", true).unwrap();
    head(&mut answer).await.unwrap();
    rest(&mut answer).await.unwrap();
    let before = settle(&driven).await;
    drop(answer);
    assert_eq!(settle(&driven).await, before);
    // One that has not does.
    let answer = driven.open("abc", false).unwrap();
    let before = settle(&driven).await;
    drop(answer);
    assert!(settle(&driven).await > before);
}

#[tokio::test]
async fn a_connection_that_is_left_ends_with_its_last_stream() {
    let (near, far) = tokio::io::duplex(64 << 10);
    echo(far, 65_535);
    let mut driven = drive(near);
    let mut answer = driven.open("abc", true).unwrap();
    let (sender, refused) = (driven.sender.clone(), driven.open("", false).unwrap());
    driven.leave();
    head(&mut answer).await.unwrap();
    assert_eq!(rest(&mut answer).await.unwrap().0, b"abc");
    let call = Block::new("/a.A/Do", 0);
    let timeout = HeaderValue::from_static("1S");
    assert!(matches!(
        sender.open(&call, &timeout, Bytes::new(), true),
        Err(Error::Closed)
    ));
    drop(answer);
    assert!(!driven.ended.is_finished());
    drop(refused);
    assert!(matches!(driven.ended.await.unwrap(), Ok(())));
}

#[tokio::test]
async fn a_head_longer_than_a_frame_is_one_all_the_same() {
    let (near, far) = tokio::io::duplex(64 << 10);
    let server = tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        let builder = builder.max_header_list_size(1 << 20);
        let mut connection = builder.handshake::<_, Bytes>(far).await.unwrap();
        let (request, mut answer) = connection.accept().await.unwrap().unwrap();
        answer.send_response(http::Response::new(()), true).unwrap();
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        request.headers()["x-long"].len()
    });
    let driven = drive(near);
    let mut call = Block::new("/a.A/Do", 1);
    let long = HeaderValue::try_from("v".repeat(50_000)).unwrap();
    call.put(&HeaderName::from_static("x-long"), &long);
    let timeout = HeaderValue::from_static("1S");
    let mut answer = driven.sender.clone().open(&call, &timeout, Bytes::new(), true).unwrap();
    assert_eq!(head(&mut answer).await.unwrap().0, StatusCode::OK);
    assert_eq!(server.await.unwrap(), 50_000);
}

/// A transport that counts how often it is written to.
struct Writes(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Writes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Writes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn calls_that_come_together_are_written_together_and_one_alone_at_once() {
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let (near, mut far) = tokio::io::duplex(64 << 10);
    far.write_all(&raw(kind::SETTINGS, 0, 0, &[])).await.unwrap();
    let writes = Arc::new(AtomicUsize::new(0));
    let (sender, mut connection) = Connection::new(Writes(near, writes.clone()), &config());
    let woken = Arc::new(Woken::default());
    let waker = std::task::Waker::from(woken.clone());
    let mut poll = || {
        let before = (writes.load(Ordering::Relaxed), woken.0.load(Ordering::Relaxed));
        assert!(connection.poll(&mut Context::from_waker(&waker)).is_pending());
        let after = (writes.load(Ordering::Relaxed), woken.0.load(Ordering::Relaxed));
        (after.0 - before.0, after.1 - before.1)
    };
    let open = || {
        let call = Block::new("/a.A/Do", 0);
        let timeout = HeaderValue::from_static("1S");
        sender.clone().open(&call, &timeout, Bytes::new(), true).unwrap()
    };
    poll();
    let one = open();
    assert_eq!(poll(), (1, 0), "nobody else is about to call");
    let two = open();
    assert_eq!(poll(), (0, 1), "others go first");
    let three = open();
    assert_eq!(poll(), (1, 0));
    drop((one, two, three));
}
