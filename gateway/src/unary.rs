//! The REST answer to a unary call: one JSON value of known length.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tonic::Code;

use crate::body::{HttpResponse, ResponseBody};
use crate::error::Failure;
use crate::metadata;
use crate::reply::{Messages, Next};
use crate::rest::{Held, Memory, Replies};

/// Room for an answer in JSON besides that for each byte of its message: a small answer is then in a small buffer, which
/// costs less to have and to give back.
const BODY_ROOM_BYTES: usize = 448;

/// Reads the one message and the status after it; anything else is an error of the inner service's.
pub(crate) async fn response(replies: &mut Replies<'_, '_>, memory: &Memory) -> Result<HttpResponse, Failure> {
    let (message, trailers) = match only_message(&mut replies.messages).await {
        Ok(answer) => answer,
        Err(failure) => {
            replies.messages.read_on().await;
            return Err(failure);
        }
    };
    let status = replies.route.method().status_of(&message);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    // JSON is about twice as long as what it is written from; a buffer that has to grow is copied.
    let mut body = Vec::with_capacity(message.len() / 2 * 5 + BODY_ROOM_BYTES);
    if status != StatusCode::NO_CONTENT {
        replies
            .route
            .render(&message, &mut body)
            .map_err(|error| Failure::bad_reply(error.to_string()))?;
        // What is laid out for people ends its last line; else the body is the value, and its length is the value's.
        if replies.route.method().settings().pretty {
            body.push(b'\n');
        }
    }
    let mut held = Held::default();
    let counted = memory.count(&mut body, &mut held);
    counted.map_err(|_| Failure::no_memory_for_answer())?;
    replies.record.set_code(Code::Ok);
    // What came after the message is known before anything is sent: a caller who reads no trailers finds it in the
    // head.
    let mut after = HeaderMap::new();
    metadata::to_headers(&trailers, replies.names.of_trailers(), &mut after);
    let as_trailers = replies.takes_trailers && !after.is_empty() && status != StatusCode::NO_CONTENT;
    let metadata = replies.messages.take_metadata();
    let has_body = status != StatusCode::NO_CONTENT;
    let mut headers = metadata::into_headers(metadata, replies.names.of_head(), has_body);
    if as_trailers {
        metadata::announce(after.keys(), &mut headers);
    } else {
        for (name, value) in &after {
            headers.append(name, value.clone());
        }
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if status == StatusCode::CREATED
        && let Some(location) = replies
            .route
            .location(&message)
            .and_then(|path| HeaderValue::try_from(path).ok())
    {
        headers.insert(header::LOCATION, location);
    }
    let mut response = http::Response::new(if as_trailers {
        ResponseBody::with_trailers(held.by(body), after)
    } else {
        ResponseBody::full(held.by(body))
    });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

async fn only_message(messages: &mut Messages) -> Result<(Bytes, HeaderMap), Failure> {
    let message = match messages.next().await {
        Next::Message(message) => message,
        Next::Failed(failure) => return Err(failure),
        Next::End(_) => return Err(Failure::bad_reply("the call ended with OK and without an answer")),
    };
    match messages.next().await {
        Next::End(trailers) => Ok((message, trailers)),
        Next::Failed(failure) => Err(failure),
        Next::Message(_) => Err(Failure::bad_reply("a unary call was answered twice")),
    }
}
