//! What the target `http2` of `gateway/fuzz` drives: HTTP/2 as an upstream's connection speaks it, on any transport. It
//! is there in builds with `--cfg fuzzing` only.

use std::future::poll_fn;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};

use super::http2::{Answer, Block, Config, Connection, Error};

/// Begins a connection with so many calls, of which every other one has a body that comes later, and drives it to its end.
/// Returns what each call was answered, in words, or why it was not. The calls are opened before the server has greeted,
/// which else nobody does, so that nothing but the input decides when what is read.
pub async fn answers<T: AsyncRead + AsyncWrite + Unpin>(transport: T, count: u8) -> Vec<Result<String, String>> {
    let config = Config {
        authority: "server:1".to_owned(),
        is_tls: false,
        stream_window_bytes: 64 << 10,
        header_bytes_max: 1 << 10,
    };
    let (sender, mut connection) = Connection::new(transport, &config);
    let timeout = HeaderValue::from_static("1S");
    let opened = (0..count).map(|number| {
        let is_whole = number % 2 == 0;
        let body = Bytes::from_static(b"\0\0\0\0\x01a");
        let answer = sender
            .clone()
            .open(&Block::new("/a.A/Do", 0), &timeout, body.clone(), is_whole);
        if let (false, Ok(answer)) = (is_whole, &answer) {
            answer.body().send(body, number % 4 == 1);
        }
        async { told(answer?).await }
    });
    let reading = join_all(opened.collect::<Vec<_>>());
    drop(sender);
    let (_, answers) = join(poll_fn(|cx| connection.poll(cx)), reading).await;
    let in_words = |answer: Result<String, Error>| answer.map_err(|error| error.to_string());
    answers.into_iter().map(in_words).collect()
}

/// All of an answer.
async fn told(mut answer: Answer) -> Result<String, Error> {
    let (status, headers) = poll_fn(|cx| answer.poll_head(cx)).await?;
    let (mut body, mut trailers) = (Vec::new(), None);
    while let Some(frame) = poll_fn(|cx| answer.poll_frame(cx)).await? {
        match frame.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(format!("{status} {headers:?} {body:?} {trailers:?}"))
}
