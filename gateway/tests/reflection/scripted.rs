//! A reflection server by script: what it answers to each question, or how it misbehaves instead.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use millrace_gateway::GrpcService;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;

use crate::protos::{put, varint};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Services,
    Symbol(String),
    File(String),
}

/// How the script answers.
pub(crate) enum Reply {
    /// Files, in one message.
    Files(Vec<Vec<u8>>),
    Services(Vec<String>),
    /// An `ErrorResponse`.
    Error(Code),
    /// Ends the stream with this status.
    End(Status),
    /// Any bytes as the message.
    Message(Vec<u8>),
    /// Any bytes as the frame.
    Raw(Bytes),
    /// Never answers.
    Hang,
}

impl Reply {
    pub(crate) fn services(names: &[&str]) -> Self {
        Self::Services(names.iter().map(|name| (*name).to_owned()).collect())
    }

    pub(crate) fn file(file: impl Into<Vec<u8>>) -> Self {
        Self::Files(vec![file.into()])
    }
}

/// A server, and what it was asked so far: version and question.
pub(crate) struct Scripted {
    pub(crate) service: GrpcService,
    asked: Arc<Mutex<Vec<(String, Asked)>>>,
    streams: Arc<Mutex<usize>>,
}

impl Scripted {
    /// Answers every version alike.
    pub(crate) fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::by_version(move |_, asked| script(asked))
    }

    pub(crate) fn by_version(script: impl Fn(&str, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let script: Script = Arc::new(script);
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let streams: Arc<Mutex<usize>> = Arc::default();
        let (seen, opened) = (asked.clone(), streams.clone());
        let service = BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
            *opened.lock().unwrap() += 1;
            let version = request.uri().path().split('.').nth(2).unwrap_or_default().to_owned();
            let (frames, received) = mpsc::unbounded_channel();
            tokio::spawn(converse(
                request.into_body(),
                version,
                script.clone(),
                seen.clone(),
                frames,
            ));
            let frames = futures_util::stream::unfold(received, |mut received| async {
                received.recv().await.map(|frame| (frame, received))
            });
            let response = Response::builder().header("content-type", "application/grpc");
            std::future::ready(Ok::<_, Infallible>(
                response.body(Body::new(StreamBody::new(frames))).unwrap(),
            ))
        }));
        Self {
            service,
            asked,
            streams,
        }
    }

    pub(crate) fn asked(&self) -> Vec<(String, Asked)> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn streams(&self) -> usize {
        *self.streams.lock().unwrap()
    }
}

/// Version and question in, an answer out.
type Script = Arc<dyn Fn(&str, &Asked) -> Reply + Send + Sync>;
type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>;

async fn converse(
    mut questions: Body,
    version: String,
    script: Script,
    seen: Arc<Mutex<Vec<(String, Asked)>>>,
    frames: Frames,
) {
    let mut received = BytesMut::new();
    while let Some(Ok(frame)) = questions.frame().await {
        received.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(message) = message(&mut received) {
            let asked = question(&message);
            seen.lock().unwrap().push((version.clone(), asked.clone()));
            match script(&version, &asked) {
                Reply::Hang => return std::future::pending().await,
                Reply::Raw(bytes) => drop(frames.send(Ok(Frame::data(bytes)))),
                Reply::End(status) => return end(&frames, &status),
                reply => drop(frames.send(Ok(Frame::data(framed(&encoded(reply)))))),
            }
        }
    }
    end(&frames, &Status::ok(""));
}

fn end(frames: &Frames, status: &Status) {
    let mut trailers = http::HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    let _ = frames.send(Ok(Frame::trailers(trailers)));
}

fn message(received: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(received.get(1..5)?.try_into().unwrap()) as usize;
    if received.len() < 5 + length {
        return None;
    }
    received.advance(5);
    Some(received.split_to(length).freeze())
}

fn question(message: &[u8]) -> Asked {
    let mut rest = &message[1..];
    let length = varint(&mut rest);
    let text = String::from_utf8(rest[..length].to_vec()).unwrap();
    match message[0] >> 3 {
        3 => Asked::File(text),
        4 => Asked::Symbol(text),
        7 => Asked::Services,
        other => panic!("question {other}"),
    }
}

fn encoded(reply: Reply) -> Vec<u8> {
    let (mut inside, mut message) = (Vec::new(), Vec::new());
    let number = match reply {
        Reply::Files(files) => {
            files.iter().for_each(|file| put(&mut inside, 1, file));
            4
        }
        Reply::Services(names) => {
            for name in names {
                let mut entry = Vec::new();
                put(&mut entry, 1, name.as_bytes());
                put(&mut inside, 1, &entry);
            }
            6
        }
        Reply::Error(code) => {
            inside.extend_from_slice(&[0x08, code as u8]);
            put(&mut inside, 2, b"no\nsuch thing");
            7
        }
        Reply::Message(bytes) => return bytes,
        Reply::End(_) | Reply::Raw(_) | Reply::Hang => unreachable!("no message"),
    };
    // The question, as servers repeat it.
    put(&mut message, 2, b"\x3a\x01*");
    put(&mut message, number, &inside);
    message
}

pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}
