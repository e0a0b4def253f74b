//! Calls over gRPC, on HTTP/2 in clear, with frames made once.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Answer, LoadError, Tally};
use crate::workload::Cell;

/// Windows that no answer fills.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// The frame's head: no compression, and a length of four bytes.
const FRAME_HEAD_BYTES: usize = 5;

/// Calls over one connection until the time is over, so many at once, and once at least in each place.
pub(crate) async fn repeat(
    send: SendRequest<Bytes>,
    prepared: (Request<()>, Bytes),
    streams: usize,
    until: Instant,
) -> Result<Tally, LoadError> {
    let mut places = JoinSet::new();
    for _ in 0..streams {
        places.spawn(place(send.clone(), prepared.clone(), until));
    }
    let mut total = Tally::default();
    while let Some(tally) = places.join_next().await {
        match tally {
            Ok(tally) => total.join(tally),
            Err(panic) => total.broken(|| panic.to_string()),
        }
    }
    Ok(total)
}

async fn place(mut send: SendRequest<Bytes>, (head, frame): (Request<()>, Bytes), until: Instant) -> Tally {
    let mut tally = Tally::default();
    loop {
        let since = Instant::now();
        match exchange(&mut send, &head, &frame, None).await {
            Ok((0, bytes)) => tally.answered(since, bytes),
            Ok((status, _)) => tally.failed(|| format!("grpc-status {status}")),
            Err(error) => {
                // The connection is gone for all of its calls.
                tally.broken(|| error.to_string());
                return tally;
            }
        }
        if Instant::now() >= until {
            return tally;
        }
    }
}

/// One call over a connection of its own.
pub(crate) async fn call(target: SocketAddr, cell: Cell) -> Result<Answer, LoadError> {
    let mut send = open(target).await?;
    let (head, frame) = prepared(target, cell);
    let mut body = BytesMut::new();
    let (status, _) = exchange(&mut send, &head, &frame, Some(&mut body)).await?;
    let parts = messages(body.freeze()).ok_or(LoadError::Malformed("a message longer than its frame"))?;
    Ok(Answer { status, parts })
}

/// A connection, driven by a task.
pub(crate) async fn open(target: SocketAddr) -> Result<SendRequest<Bytes>, LoadError> {
    let stream = TcpStream::connect(target).await;
    let stream = stream.map_err(|error| LoadError::Connect(target, error))?;
    stream.set_nodelay(true)?;
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let (send, connection) = builder.handshake(stream).await?;
    // Its failure is that of the calls.
    drop(tokio::spawn(connection));
    Ok(send)
}

/// Head and frame of a call.
pub(crate) fn prepared(target: SocketAddr, cell: Cell) -> (Request<()>, Bytes) {
    let (path, message) = cell.grpc();
    let request = Request::post(format!("http://{target}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("an address and a path make a request");
    let mut frame = BytesMut::with_capacity(FRAME_HEAD_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a message of this harness is short"));
    frame.put_slice(&message);
    (request, frame.freeze())
}

/// Status, and bytes of the messages.
async fn exchange(
    send: &mut SendRequest<Bytes>,
    head: &Request<()>,
    frame: &Bytes,
    body: Option<&mut BytesMut>,
) -> Result<(u16, u64), LoadError> {
    futures_util::future::poll_fn(|context| send.poll_ready(context)).await?;
    let (answer, mut stream) = send.send_request(head.clone(), false)?;
    stream.send_data(frame.clone(), true)?;
    read(answer, body).await
}

async fn read(answer: ResponseFuture, mut body: Option<&mut BytesMut>) -> Result<(u16, u64), LoadError> {
    let (head, mut stream) = answer.await?.into_parts();
    let mut bytes = 0;
    while let Some(data) = stream.data().await {
        let data = data?;
        bytes += data.len() as u64;
        stream.flow_control().release_capacity(data.len())?;
        if let Some(body) = body.as_deref_mut() {
            body.extend_from_slice(&data);
        }
    }
    let trailers = stream.trailers().await?;
    let status = trailers.as_ref().and_then(status).or_else(|| status(&head.headers));
    Ok((status.ok_or(LoadError::Malformed("no grpc-status"))?, bytes))
}

fn status(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn messages(mut body: Bytes) -> Option<Vec<Bytes>> {
    let mut messages = Vec::new();
    while !body.is_empty() {
        let head = body.get(..FRAME_HEAD_BYTES)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let end = FRAME_HEAD_BYTES.checked_add(length).filter(|end| *end <= body.len())?;
        let frame = body.split_to(end);
        messages.push(frame.slice(FRAME_HEAD_BYTES..));
    }
    Some(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_they_say() {
        let frames = Bytes::from_static(b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x01c");
        let cut = messages(frames.clone()).unwrap();
        assert_eq!(cut, [&b"ab"[..], b"", b"c"]);
        assert!(messages(frames.slice(..frames.len() - 1)).is_none());
        let (_, frame) = prepared("127.0.0.1:1".parse().unwrap(), Cell::Create10);
        assert_eq!(messages(frame).unwrap(), [Cell::Create10.grpc().1]);
    }
}
