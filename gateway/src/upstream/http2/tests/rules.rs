//! What breaks the rules, and what does not.

use super::*;

#[tokio::test]
async fn what_breaks_the_rules_of_a_connection_ends_it_and_the_server_is_told_why() {
    let (protocol, size, flow) = (
        Reason::PROTOCOL_ERROR,
        Reason::FRAME_SIZE_ERROR,
        Reason::FLOW_CONTROL_ERROR,
    );
    let whole = flag::END_HEADERS;
    let table = [
        ("a stream that nobody opened", ok(5), protocol),
        ("a server's stream", ok(2), protocol),
        (
            "a reset of an idle stream",
            raw(kind::RST_STREAM, 0, 3, &[0; 4]),
            protocol,
        ),
        ("headers of the connection", ok(0), protocol),
        ("data of the connection", raw(kind::DATA, 0, 0, b"a"), protocol),
        (
            "a frame too long",
            raw(kind::DATA, 0, 1, &[0; PAYLOAD_BYTES_MAX + 1]),
            size,
        ),
        (
            "a block that is none",
            raw(kind::HEADERS, whole, 1, b"\xff\xff\xff\xff\xff"),
            Reason::COMPRESSION_ERROR,
        ),
        (
            "padding without end",
            raw(kind::HEADERS, whole | flag::PADDED, 1, b"\x05\x88"),
            protocol,
        ),
        ("a lonely continuation", raw(kind::CONTINUATION, whole, 1, OK), protocol),
        (
            "another frame in a block",
            [raw(kind::HEADERS, 0, 1, OK), raw(kind::PING, 0, 0, &[0; 8])].concat(),
            protocol,
        ),
        (
            "another stream in a block",
            [raw(kind::HEADERS, 0, 1, OK), raw(kind::CONTINUATION, 4, 3, OK)].concat(),
            protocol,
        ),
        (
            "a block without end",
            [
                raw(kind::HEADERS, 0, 1, OK),
                raw(kind::CONTINUATION, 0, 1, b"").repeat(65),
            ]
            .concat(),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a block that is too long",
            [
                raw(kind::HEADERS, 0, 1, &[0x88; 9_000]),
                raw(kind::CONTINUATION, 0, 1, &[0x88; 9_000]),
            ]
            .concat(),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a push",
            raw(kind::PUSH_PROMISE, whole, 1, &[0, 0, 0, 2, 0x88]),
            protocol,
        ),
        ("a ping of seven bytes", raw(kind::PING, 0, 0, &[0; 7]), size),
        ("a ping of a stream", raw(kind::PING, 0, 1, &[0; 8]), protocol),
        ("settings of a stream", raw(kind::SETTINGS, 0, 1, &[]), protocol),
        ("settings of five bytes", raw(kind::SETTINGS, 0, 0, &[0; 5]), size),
        (
            "an answer to settings with some",
            raw(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
            size,
        ),
        (
            "a push turned on",
            raw(kind::SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 1]),
            protocol,
        ),
        (
            "a window too large",
            raw(kind::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
            flow,
        ),
        (
            "frames too small",
            raw(kind::SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff]),
            protocol,
        ),
        (
            "frames too large",
            raw(kind::SETTINGS, 0, 0, &[0, 5, 1, 0, 0, 0]),
            protocol,
        ),
        ("a short goaway", raw(kind::GOAWAY, 0, 0, &[0; 7]), size),
        ("a goaway of a stream", raw(kind::GOAWAY, 0, 1, &[0; 8]), protocol),
        (
            "a window opened by nothing",
            raw(kind::WINDOW_UPDATE, 0, 0, &[0; 4]),
            protocol,
        ),
        (
            "a window opened too far",
            raw(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            flow,
        ),
        ("a short window update", raw(kind::WINDOW_UPDATE, 0, 1, &[0; 3]), size),
        ("a short reset", raw(kind::RST_STREAM, 0, 1, &[0; 3]), size),
        (
            "a goaway that takes back what it said",
            [goaway(1, 0), goaway(3, 0)].concat(),
            protocol,
        ),
    ];
    for (what, said, reason) in table {
        let (mut script, driven) = Script::greeted(&[]).await;
        let mut answer = driven.open("", true).unwrap();
        script.say(&said).await;
        let frames = script.frames(&driven).await;
        let [a, b, c, d] = reason.0.to_be_bytes();
        let goaway = (kind::GOAWAY, 0, 0, vec![0, 0, 0, 0, a, b, c, d]);
        assert_eq!(frames.last(), Some(&goaway), "{what}");
        assert!(matches!(driven.ended.await.unwrap(), Err(Error::Broken(_))), "{what}");
        assert!(matches!(head(&mut answer).await, Err(Error::Broken(_))), "{what}");
    }
}

#[tokio::test]
async fn what_does_not_greet_is_no_server() {
    for said in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &raw(kind::PING, 0, 0, &[0; 8]),
        &raw(kind::SETTINGS, flag::ACK, 0, &[]),
    ] {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        far.write_all(said).await.unwrap();
        let driven = drive(near);
        assert!(matches!(driven.ended.await.unwrap(), Err(Error::Broken(why)) if why.contains("SETTINGS")));
    }
}

#[tokio::test]
async fn what_breaks_the_rules_of_a_stream_resets_it_alone() {
    let protocol = Reason::PROTOCOL_ERROR;
    let large: Vec<u8> = [&b"\x88\x40\x01a\x7f\xa1\x1e"[..], &[b'v'; 4_000], &[0xbe; 5]].concat();
    let table = [
        ("a body without a head", raw(kind::DATA, 0, 1, b"a"), protocol),
        (
            "a head without a status",
            raw(kind::HEADERS, flag::END_HEADERS, 1, TRAILERS),
            protocol,
        ),
        (
            "a head of capitals",
            raw(kind::HEADERS, flag::END_HEADERS, 1, b"\x88\x00\x01A\x01b"),
            protocol,
        ),
        (
            "an end before the head",
            raw(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, b"\x08\x03100"),
            protocol,
        ),
        (
            "trailers without an end",
            [ok(1), raw(kind::HEADERS, flag::END_HEADERS, 1, TRAILERS)].concat(),
            protocol,
        ),
        (
            "two heads",
            [ok(1), raw(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, OK)].concat(),
            protocol,
        ),
        (
            "a window opened by nothing",
            raw(kind::WINDOW_UPDATE, 0, 1, &[0; 4]),
            protocol,
        ),
        (
            "a window opened too far",
            raw(kind::WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]),
            Reason::FLOW_CONTROL_ERROR,
        ),
        (
            "more than its window",
            [ok(1), raw(kind::DATA, 0, 1, &[0; 40_000]).repeat(2)].concat(),
            Reason::FLOW_CONTROL_ERROR,
        ),
        (
            "a body longer than it said",
            [sized(1), raw(kind::DATA, 0, 1, b"abc")].concat(),
            protocol,
        ),
        (
            "a body shorter than it said",
            [sized(1), raw(kind::DATA, 0, 1, b"a"), done(1)].concat(),
            protocol,
        ),
        (
            "headers too large",
            raw(kind::HEADERS, flag::END_HEADERS, 1, &large),
            Reason::ENHANCE_YOUR_CALM,
        ),
    ];
    for (what, said, reason) in table {
        let (mut script, driven) = Script::greeted(&[]).await;
        let mut broken = driven.open("", true).unwrap();
        let mut other = driven.open("", true).unwrap();
        script.frames(&driven).await;
        // What comes after it is no answer any more.
        script
            .say(&[said, ok(1), raw(kind::DATA, 0, 1, b"a"), done(1)].concat())
            .await;
        assert_eq!(script.frames(&driven).await, [reset(1, reason)], "{what}");
        let error = match head(&mut broken).await {
            Ok(_) => rest(&mut broken).await.unwrap_err(),
            Err(error) => error,
        };
        let is_told = match reason {
            Reason::ENHANCE_YOUR_CALM => matches!(
                error,
                Error::HeadersTooLarge {
                    bytes: 24_198,
                    max: 1_024
                }
            ),
            _ => matches!(error, Error::StreamBroken(_)),
        };
        assert!(is_told, "{what}: {error}");
        drop(broken);
        script.say(&[ok(3), done(3)].concat()).await;
        assert_eq!(head(&mut other).await.unwrap().0, StatusCode::OK, "{what}");
        assert!(rest(&mut other).await.unwrap().1.is_some(), "{what}");
        assert_eq!(script.frames(&driven).await, [], "{what}");
        // What still comes of a stream that is over is nobody's.
        script
            .say(
                &[
                    raw(kind::DATA, 0, 1, b"late"),
                    done(1),
                    raw(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
                ]
                .concat(),
            )
            .await;
        assert_eq!(script.frames(&driven).await, [], "{what}");
        assert!(!driven.ended.is_finished(), "{what}");
    }
}

#[tokio::test]
async fn what_a_client_need_not_understand_is_passed_over() {
    let (mut script, driven) = Script::greeted(&[(0x77, 7), (setting::HEADER_TABLE_SIZE, 0)]).await;
    let mut answer = driven.open("", true).unwrap();
    let opened = script.frames(&driven).await;
    let block = opened
        .iter()
        .find(|(kind, ..)| *kind == kind::HEADERS)
        .map(|(.., block)| block);
    assert_eq!(block.unwrap()[0], 0x20, "a table of nothing is said to be one");
    let said = [
        raw(kind::PRIORITY, 0, 1, &[0; 5]),
        raw(0x77, 0xff, 77, b"unknown"),
        raw(kind::HEADERS, flag::END_HEADERS, 1, b"\x08\x03100"),
        raw(kind::HEADERS, flag::END_HEADERS, 1, b"\x08\x03103\x00\x04link\x01l"),
        raw(
            kind::HEADERS,
            flag::PADDED | flag::PRIORITY,
            1,
            b"\x03\0\0\0\0\0\x88\0\0\0",
        ),
        raw(kind::CONTINUATION, 0, 1, b"\x00\x01"),
        raw(kind::CONTINUATION, flag::END_HEADERS, 1, b"a\x01b"),
        raw(kind::DATA, flag::PADDED, 1, b"\x02ab\0\0"),
        raw(kind::DATA, flag::END_STREAM, 1, b""),
        raw(kind::PING, 0, 0, b"whatever"),
        raw(kind::PING, flag::ACK, 0, b"whatever"),
    ];
    script.say(&said.concat()).await;
    let (status, headers) = head(&mut answer).await.unwrap();
    assert_eq!(
        (status, headers.len(), &headers["a"]),
        (StatusCode::OK, 1, &"b".parse().unwrap())
    );
    assert_eq!(rest(&mut answer).await.unwrap(), (b"ab".to_vec(), None));
    assert_eq!(
        script.frames(&driven).await,
        [(kind::PING, flag::ACK, 0, b"whatever".to_vec())]
    );
}
