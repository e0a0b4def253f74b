//! Calls over HTTP/1.1: one request written at once, the answer read as far as it goes.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Answer, LoadError, PATIENCE, Tally};
use crate::http1::Reading;
use crate::workload::Cell;

/// Room for reads; an answer of 100 lines fits.
const READ_BYTES: usize = 64 * 1024;

/// Calls over one connection until the time is over, and once at least.
pub(crate) async fn repeat(mut connection: Connection, request: Bytes, until: Instant) -> Result<Tally, LoadError> {
    let mut tally = Tally::default();
    loop {
        let since = Instant::now();
        let reply = connection.call(&request, None).await;
        let close = match &reply {
            Ok(reply) => reply.close,
            Err(_) => true,
        };
        match reply {
            Ok(reply) if (200..300).contains(&reply.status) => tally.answered(since, reply.bytes),
            Ok(reply) => tally.failed(|| format!("status {}", reply.status)),
            Err(error) => tally.broken(|| error.to_string()),
        }
        if Instant::now() >= until {
            return Ok(tally);
        }
        if close {
            connection = connection.again().await?;
        }
    }
}

/// One call over a connection of its own.
pub(crate) async fn call(target: SocketAddr, cell: Cell, accept: &str) -> Result<Answer, LoadError> {
    let mut body = Vec::new();
    let mut connection = Connection::open(target).await?;
    let reply = connection.call(&request(target, cell, accept), Some(&mut body)).await?;
    Ok(Answer {
        status: reply.status,
        parts: vec![body.into()],
    })
}

/// A connection that was used once and stays open.
pub(crate) async fn idle(target: SocketAddr) -> Result<Connection, LoadError> {
    let mut connection = Connection::open(target).await?;
    let request = request(target, Cell::Get, "application/json");
    // One that is full may accept, and never answer.
    let answered = tokio::time::timeout(PATIENCE, connection.call(&request, None)).await;
    answered.map_err(|_| LoadError::Late(PATIENCE))??;
    Ok(connection)
}

/// The bytes of a whole request.
pub(crate) fn request(target: SocketAddr, cell: Cell, accept: &str) -> Bytes {
    let (method, path, body) = cell.rest();
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {target}\r\naccept: {accept}\r\n");
    if method == "POST" {
        request.push_str("content-type: application/json\r\n");
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    [request.as_bytes(), &body].concat().into()
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    target: SocketAddr,
    stream: TcpStream,
    input: BytesMut,
}

pub(super) struct Reply {
    pub(super) status: u16,
    /// Of the body.
    pub(super) bytes: u64,
    pub(super) close: bool,
}

impl Connection {
    pub(crate) async fn open(target: SocketAddr) -> Result<Self, LoadError> {
        let stream = TcpStream::connect(target).await;
        let stream = stream.map_err(|error| LoadError::Connect(target, error))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            target,
            stream,
            input: BytesMut::new(),
        })
    }

    /// The same to the same target, anew.
    pub(super) async fn again(&self) -> Result<Self, LoadError> {
        Self::open(self.target).await
    }

    pub(super) async fn call(&mut self, request: &[u8], mut body: Option<&mut Vec<u8>>) -> Result<Reply, LoadError> {
        self.stream.write_all(request).await?;
        let mut reading = Reading::default();
        loop {
            if reading.advance(&mut self.input, body.as_deref_mut())? {
                let (status, bytes, close) = (reading.status, reading.body_bytes, reading.close);
                return Ok(Reply { status, bytes, close });
            }
            self.input.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(LoadError::Closed);
            }
        }
    }
}

impl From<crate::http1::Malformed> for LoadError {
    fn from(error: crate::http1::Malformed) -> Self {
        Self::Malformed(error.0)
    }
}
