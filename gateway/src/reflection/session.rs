//! One conversation with a server's reflection service: questions in order, each with its answer.
//!
//! All questions go over one stream, so that one server answers them behind a load balancer, and a few at a time, so
//! that a schema of many files does not take a round trip for each. Some servers end the stream where they should
//! answer that a file is not there (tonic's does): the end is then the answer to the oldest question, and the others
//! are asked again.

use std::collections::VecDeque;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::{Code, Request, Status, Streaming};

use super::codec::Raw;
use super::wire::{self, Malformed, fields_of};
use super::{Limits, ReflectionError, Refusal, shown};
use crate::gateway::GrpcService;

/// Questions that are on their way at one time.
const WINDOW: usize = 16;

/// Paths of both versions. Their messages are the same.
pub(super) const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
pub(super) const V1_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    Services,
    FileOfSymbol(String),
    FileNamed(String),
}

impl Question {
    /// As a `ServerReflectionRequest`.
    fn encoded(&self) -> Vec<u8> {
        let (number, text) = match self {
            Self::FileNamed(name) => (3, name.as_str()),
            Self::FileOfSymbol(name) => (4, name.as_str()),
            // The content is not looked at; grpcurl sends `*` too.
            Self::Services => (7, "*"),
        };
        let mut out = Vec::with_capacity(text.len() + 4);
        wire::put_bytes(&mut out, number, text.as_bytes());
        out
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Services => f.write_str("the list of services"),
            Self::FileOfSymbol(name) => write!(f, "the file of {}", shown(name)),
            Self::FileNamed(name) => write!(f, "the file {}", shown(name)),
        }
    }
}

/// An answer: an encoded `ServerReflectionResponse`, read as far as somebody asks.
pub(super) struct Answer(Bytes);

impl Answer {
    /// The files of a `FileDescriptorResponse`.
    pub(super) fn files(&self) -> impl Iterator<Item = Result<&[u8], Malformed>> {
        self.inside(4, 1)
    }

    /// The entries of a `ListServiceResponse`.
    pub(super) fn services(&self) -> impl Iterator<Item = Result<&str, Malformed>> {
        self.inside(6, 1).map(|entry| match fields_of(entry?, 1).last() {
            Some(name) => name?.text(),
            None => Ok(""),
        })
    }

    /// The `ErrorResponse`, if it is one.
    fn refusal(&self) -> Result<Option<Refusal>, Malformed> {
        let Some(error) = fields_of(&self.0, 7).last() else {
            return Ok(None);
        };
        let error = error?.bytes()?;
        let code = match fields_of(error, 1).last() {
            Some(code) => Code::from_i32(i32::try_from(code?.varint()?).unwrap_or_default()),
            None => Code::Unknown,
        };
        let message = match fields_of(error, 2).last() {
            Some(message) => String::from_utf8_lossy(message?.bytes()?),
            None => "".into(),
        };
        Ok(Some(Refusal {
            code,
            message: shown(&message),
        }))
    }

    fn inside(&self, answer: u32, entry: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
        let answers = fields_of(&self.0, answer).map(|field| field.and_then(|field| field.bytes()));
        answers.flat_map(move |bytes| {
            let (entries, broken) = match bytes {
                Ok(bytes) => (Some(fields_of(bytes, entry)), None),
                Err(broken) => (None, Some(Err(broken))),
            };
            let entries = entries.into_iter().flatten();
            entries.map(|field| field.and_then(|field| field.bytes())).chain(broken)
        })
    }
}

/// The conversation.
pub(super) struct Session {
    client: Grpc<GrpcService>,
    path: PathAndQuery,
    stream: Option<Stream>,
}

struct Stream {
    questions: mpsc::Sender<Vec<u8>>,
    answers: Streaming<Bytes>,
    /// Whether one answer has come.
    answered: bool,
}

impl Session {
    /// Starts a conversation in the version that the server speaks; the list of services is the first answer.
    pub(super) async fn start(service: GrpcService, limits: &Limits) -> Result<(Self, Answer), ReflectionError> {
        let v1 = match Self::listed(service.clone(), V1, limits).await? {
            Ok(started) => return Ok(started),
            Err(refusal) => refusal,
        };
        // Whatever the reason: servers without v1 answer UNIMPLEMENTED, 404 or 415, or reset the stream.
        match Self::listed(service, V1_ALPHA, limits).await? {
            Ok(started) => Ok(started),
            // Who cannot be reached has not said what it offers.
            Err(v1alpha) if v1alpha.is_away() => Err(ReflectionError::Unreachable(v1alpha)),
            Err(_) if v1.is_away() => Err(ReflectionError::Unreachable(v1)),
            Err(v1alpha) => Err(ReflectionError::Unsupported { v1, v1alpha }),
        }
    }

    async fn listed(
        service: GrpcService,
        path: &'static str,
        limits: &Limits,
    ) -> Result<Result<(Self, Answer), Refusal>, ReflectionError> {
        let mut session = Self {
            // Somewhat more than the files: the rest of an answer is the question and a few tags.
            client: Grpc::new(service).max_decoding_message_size(limits.total_bytes.saturating_add(1 << 16)),
            path: PathAndQuery::from_static(path),
            stream: None,
        };
        let mut waiting = VecDeque::from([Question::Services]);
        match session.next(&mut waiting, &mut VecDeque::new()).await {
            Ok(answer) => match answer.refusal().map_err(|_| malformed(&Question::Services))? {
                Some(refusal) => Ok(Err(refusal)),
                None => Ok(Ok((session, answer))),
            },
            Err(None) => Ok(Err(ended().into())),
            Err(Some(status)) if status.code() == Code::OutOfRange => Err(ReflectionError::Failed {
                asked: Question::Services.to_string(),
                refusal: status.into(),
            }),
            Err(Some(status)) => Ok(Err(status.into())),
        }
    }

    /// Asks everything, and hands each answer, or the server's no, to `take`.
    pub(super) async fn ask(
        &mut self,
        questions: impl IntoIterator<Item = Question>,
        mut take: impl FnMut(&Question, Result<Answer, Refusal>) -> Result<(), ReflectionError>,
    ) -> Result<(), ReflectionError> {
        let mut waiting: VecDeque<_> = questions.into_iter().collect();
        let mut sent = VecDeque::new();
        while !(waiting.is_empty() && sent.is_empty()) {
            let answered_before = self.stream.as_ref().is_some_and(|stream| stream.answered);
            let answer = self.next(&mut waiting, &mut sent).await;
            let refusal = match answer {
                Ok(answer) => {
                    let Some(question) = sent.pop_front() else { continue };
                    let refusal = answer.refusal().map_err(|_| malformed(&question))?;
                    take(&question, refusal.map_or(Ok(answer), Err))?;
                    continue;
                }
                // The server takes no more questions on this stream; each new one must bring an answer.
                Err(None) if answered_before => None,
                Err(status) => Some(Refusal::from(status.unwrap_or_else(ended))),
            };
            self.stream = None;
            if let Some(refusal) = refusal
                && let Some(question) = sent.pop_front()
            {
                if is_final(refusal.code) {
                    let asked = question.to_string();
                    return Err(ReflectionError::Failed { asked, refusal });
                }
                take(&question, Err(refusal))?;
            }
            while let Some(question) = sent.pop_back() {
                waiting.push_front(question);
            }
        }
        Ok(())
    }

    /// Sends what may be sent, and waits for the next message; `None` is the end of the stream.
    async fn next(
        &mut self,
        waiting: &mut VecDeque<Question>,
        sent: &mut VecDeque<Question>,
    ) -> Result<Answer, Option<Status>> {
        let (questions, received) = match &self.stream {
            Some(stream) => (stream.questions.clone(), None),
            None => {
                let (questions, received) = mpsc::channel(WINDOW);
                (questions, Some(received))
            }
        };
        while sent.len() < WINDOW
            && let Some(question) = waiting.pop_front()
        {
            // There is room for all that has no answer. A stream that is gone says so when it is read.
            let _ = questions.try_send(question.encoded());
            sent.push_back(question);
        }
        if let Some(received) = received {
            let answers = self.open(received).await.map_err(Some)?;
            self.stream = Some(Stream {
                questions,
                answers,
                answered: false,
            });
        }
        let Some(stream) = &mut self.stream else {
            return Err(None);
        };
        let message = stream.answers.message().await.map_err(Some)?.ok_or(None)?;
        stream.answered = true;
        Ok(Answer(message))
    }

    /// Opens the stream. The first questions are in the channel already: some servers send no headers before an answer.
    async fn open(&mut self, questions: mpsc::Receiver<Vec<u8>>) -> Result<Streaming<Bytes>, Status> {
        let stream = futures_util::stream::unfold(questions, |mut questions| async {
            questions.recv().await.map(|question| (question, questions))
        });
        let Ok(()) = self.client.ready().await;
        let call = self.client.streaming(Request::new(stream), self.path.clone(), Raw);
        Ok(call.await?.into_inner())
    }
}

/// Whether a no ends the conversation, and is not about one question.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::ResourceExhausted
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
    )
}

fn ended() -> Status {
    Status::unknown("the stream ended without an answer")
}

pub(super) fn malformed(question: &Question) -> ReflectionError {
    ReflectionError::Malformed {
        asked: question.to_string(),
        problem: "not a message of the reflection protocol",
    }
}
