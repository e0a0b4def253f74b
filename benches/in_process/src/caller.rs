//! Callers: one call after the other over one connection, each answer read to its end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use millrace_gateway::BoxError;
use prost::Message;

use crate::orders::{CreateOrderRequest, GetOrderRequest, NAME, PARENT, order};

/// What is called.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// Read an order of one line.
    Get,
    /// Create one of so many lines, which comes back.
    Create(usize),
}

impl Call {
    /// The request over HTTP/1.1. `json` is the order, for a call that sends one.
    pub fn http1(self, json: &[u8]) -> Vec<u8> {
        match self {
            Self::Get => format!("GET /v1/{NAME} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes(),
            Self::Create(_) => {
                let head = format!(
                    "POST /v1/{PARENT}/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n",
                    json.len()
                );
                [head.as_bytes(), json].concat()
            }
        }
    }

    /// The path and the message of the same over gRPC.
    fn grpc(self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Get => {
                let request = GetOrderRequest { name: NAME.to_owned() };
                ("GetOrder", request.encode_to_vec())
            }
            Self::Create(lines) => {
                let request = CreateOrderRequest {
                    parent: PARENT.to_owned(),
                    order: Some(order(lines)),
                };
                ("CreateOrder", request.encode_to_vec())
            }
        }
    }
}

/// The order of a call in JSON, as the gateway writes it.
///
/// # Errors
/// Any other answer.
pub fn order_json(gateway: SocketAddr, call: Call) -> io::Result<Vec<u8>> {
    let Call::Create(lines) = call else {
        return Http1::open(gateway)?.call(&Call::Get.http1(&[])).map(<[u8]>::to_vec);
    };
    // The order has one line; it is repeated.
    let one =
        String::from_utf8(Http1::open(gateway)?.call(&Call::Get.http1(&[]))?.to_vec()).map_err(io::Error::other)?;
    let (before, rest) = one.split_once('[').ok_or(io::ErrorKind::InvalidData)?;
    let (line, after) = rest.split_once(']').ok_or(io::ErrorKind::InvalidData)?;
    let lines = vec![line; lines].join(",");
    Ok(format!("{before}[{lines}]{after}").into_bytes())
}

/// A connection of HTTP/1.1, without a runtime.
pub struct Http1 {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http1 {
    /// Connects.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 1 << 20],
        })
    }

    /// Calls once; the body of the answer, which must be a 200.
    ///
    /// # Errors
    /// Any other answer.
    pub fn call(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            if let Some(body) = whole(&self.buffer[..filled])? {
                return Ok(&self.buffer[body..filled]);
            }
            match self.stream.read(&mut self.buffer[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                bytes => filled += bytes,
            }
        }
    }
}

/// Where the body of a whole answer begins; `None` if there is more to come.
///
/// # Errors
/// An answer that is no 200, or says no length.
pub fn whole(answer: &[u8]) -> io::Result<Option<usize>> {
    const END: &[u8] = b"\r\n\r\n";
    const LENGTH: &str = "\r\ncontent-length: ";
    let Some(head) = answer.windows(END.len()).position(|part| part == END) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&answer[..head]).map_err(io::Error::other)?;
    let length = text.split_once(LENGTH).and_then(|(_, rest)| rest.split('\r').next());
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    let (true, Some(length)) = (text.starts_with("HTTP/1.1 200 "), length) else {
        return Err(io::Error::other(String::from_utf8_lossy(answer).into_owned()));
    };
    let body = head + END.len();
    Ok((answer.len() >= body + length).then_some(body))
}

/// Calls over gRPC, so many times.
///
/// # Errors
/// An answer that is not OK.
pub fn grpc(server: SocketAddr, call: Call, before: usize, times: usize, ready: impl FnOnce()) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (mut send, connection) = h2::client::Builder::new()
            .initial_window_size(4 << 20)
            .initial_connection_window_size(4 << 20)
            .handshake::<_, Bytes>(stream)
            .await?;
        tokio::spawn(connection);
        let (method, message) = call.grpc();
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len())?);
        frame.put_slice(&message);
        let frame = frame.freeze();
        let uri = format!("http://localhost/peers.orders.v1.OrdersService/{method}");
        let head = Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        for _ in 0..before {
            exchange(&mut send, &head, &frame).await?;
        }
        ready();
        for _ in 0..times {
            exchange(&mut send, &head, &frame).await?;
        }
        Ok(())
    })
}

async fn exchange(
    send: &mut h2::client::SendRequest<Bytes>,
    head: &Request<()>,
    frame: &Bytes,
) -> Result<(), BoxError> {
    *send = send.clone().ready().await?;
    let (answer, mut body) = send.send_request(head.clone(), false)?;
    body.send_data(frame.clone(), true)?;
    let mut answer = answer.await?.into_body();
    while let Some(chunk) = answer.data().await {
        let bytes = chunk?.len();
        answer.flow_control().release_capacity(bytes)?;
    }
    let trailers = answer.trailers().await?.unwrap_or_default();
    match trailers.get("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        status => Err(format!("grpc-status {status:?}").into()),
    }
}
