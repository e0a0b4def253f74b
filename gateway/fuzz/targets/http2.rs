//! HTTP/2: a server that sends any frames, and any bytes. However they are cut, calls are answered the same; the connection
//! ends, and all calls with it; and what the server was sent are frames.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use millrace_gateway::upstream::fuzzing;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::Runtime;

/// Every connection ends long before.
const TIME_MAX: Duration = Duration::from_secs(5);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES: usize = 9;
const SETTINGS: [u8; HEAD_BYTES] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Kind, flags, stream, payload.
type Frame<'a> = (u8, u8, u8, &'a [u8]);

fuzz_target!(|input: (u8, u8, Vec<Frame>, &[u8])| {
    let (count, piece, frames, rest) = input;
    let count = count % 8;
    let mut bytes = SETTINGS.to_vec();
    for (kind, flags, stream, payload) in frames {
        // One of the known ones, or the next; or the head of an answer, or its end, which are seldom come upon.
        let (kind, flags, start): (_, _, &[u8]) = match kind % 13 {
            11 => (HEADERS, END_HEADERS, b"\x88"),
            12 => (HEADERS, END_HEADERS | END_STREAM, b"\x00\x0bgrpc-status\x010"),
            kind => (kind, flags, b""),
        };
        let length = (start.len() + payload.len()) as u32;
        bytes.extend_from_slice(&length.to_be_bytes()[1..]);
        bytes.extend_from_slice(&[kind, flags, 0, 0, 0, stream % 18]);
        bytes.extend_from_slice(start);
        bytes.extend_from_slice(payload);
    }
    bytes.extend_from_slice(rest);
    let whole = answers(count, &bytes, bytes.len());
    let cut = answers(count, &bytes, usize::from(piece).max(1));
    assert_eq!(whole, cut, "what is answered depends on how it was cut");
});

/// What calls are answered by a server who sends that, in pieces.
fn answers(count: u8, bytes: &[u8], piece: usize) -> Vec<Result<String, String>> {
    let talk = async {
        let (peer, io) = duplex(64 << 10);
        let (mut reads, mut writes) = split(peer);
        let saying = async move {
            for piece in bytes.chunks(piece) {
                // It may have ended already.
                if writes.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _ = writes.shutdown().await;
        };
        let hearing = async {
            let mut heard = Vec::new();
            let _ = reads.read_to_end(&mut heard).await;
            assert_frames(&heard);
        };
        tokio::join!(fuzzing::answers(io, count), saying, hearing).0
    };
    let ended = runtime().block_on(async { tokio::time::timeout(TIME_MAX, talk).await });
    ended.expect("the connection never ends")
}

/// What a client sent is its preface and whole frames.
fn assert_frames(heard: &[u8]) {
    let mut rest = heard.strip_prefix(PREFACE).expect("the preface comes first");
    while !rest.is_empty() {
        let (head, after) = rest.split_first_chunk::<HEAD_BYTES>().expect("a frame has a head");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        assert!(length <= 1 << 14, "a frame is longer than a server takes");
        rest = after.get(length..).expect("a frame is whole");
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let built = tokio::runtime::Builder::new_current_thread().enable_time().build();
        built.expect("a runtime starts")
    })
}
