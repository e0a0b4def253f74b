//! An answer's body over HTTP/2 that knows for whom it waits. hyper asks for the next piece only when the peer has room for
//! it; h2 keeps what it cannot send yet, and the body is dropped as soon as its last piece is handed out. So a body waits
//! for the peer while nobody asks for its next piece, and while a piece that was handed out is not written.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::activity::{InProgress, Owed};

/// Largest piece: the frame size of HTTP/2 unless a peer asks for more. Of a larger one a slow peer could not show that
/// it takes it.
const PIECE_BYTES_MAX: usize = 16 << 10;

pin_project_lite::pin_project! {
    /// The body.
    pub(super) struct Tracked<B> {
        #[pin]
        body: B,
        // What is left of a chunk that was too large for one piece.
        rest: Bytes,
        // The next piece, from the moment it could be asked for until it is.
        next: Option<Owed>,
        request: Arc<InProgress>,
    }
}

impl<B> Tracked<B> {
    pub(super) fn new(body: B, request: Arc<InProgress>) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            next: Some(Owed::of(&request)),
            request,
        }
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        *this.next = None;
        if this.rest.is_empty() {
            let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)?) else {
                return Poll::Ready(None);
            };
            match frame.into_data() {
                Ok(chunk) => *this.rest = chunk,
                Err(trailers) => {
                    *this.next = Some(Owed::of(this.request));
                    return Poll::Ready(Some(Ok(trailers)));
                }
            }
        }
        let bytes = this.rest.split_to(this.rest.len().min(PIECE_BYTES_MAX));
        // After the last piece nobody asks for a next one.
        if !(this.rest.is_empty() && this.body.is_end_stream()) {
            *this.next = Some(Owed::of(this.request));
        }
        let piece = Bytes::from_owner(Piece {
            bytes,
            _owed: Owed::of(this.request),
        });
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole.set_lower(hint.lower() + rest);
        whole
    }
}

/// A piece that was handed out.
struct Piece {
    bytes: Bytes,
    _owed: Owed,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body;
    use http_body_util::{BodyExt, Full};

    use super::super::activity::Activity;
    use super::*;

    #[tokio::test]
    async fn a_large_chunk_goes_out_in_pieces_and_each_is_owed_until_it_is_dropped() {
        let activity = Arc::new(Activity::start());
        let whole = Bytes::from(vec![7; PIECE_BYTES_MAX * 2 + 1]);
        let mut body = Tracked::new(Full::new(whole.clone()), activity.begin());
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
            let left = whole.len() - pieces.iter().map(Bytes::len).sum::<usize>();
            assert_eq!(
                (body.size_hint().exact(), body.is_end_stream()),
                (Some(left as u64), left == 0)
            );
        }
        assert_eq!(
            pieces.iter().map(Bytes::len).collect::<Vec<_>>(),
            [PIECE_BYTES_MAX, PIECE_BYTES_MAX, 1]
        );
        assert_eq!(pieces.concat(), whole);
        drop(body);
        assert!(activity.idle_since().is_none() && activity.unread_since().is_some());
        drop(pieces);
        assert!(activity.idle_since().is_some() && activity.unread_since().is_none());
    }
}
