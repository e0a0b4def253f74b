//! A page follows a stream that the server cuts, as an `EventSource` does: it comes again with the id of the last
//! event, misses nothing and gets nothing twice.

use std::time::Duration;

use http::Method;
use millrace_tests::platform::{Folder, TestPlatform};
use millrace_tests::rest::Rest;
use millrace_tests::shop::{self, Shopper};

/// How long one connection may last here.
const CONNECTION_MAX: Duration = Duration::from_secs(20);

/// What a page has seen, over all its connections.
#[derive(Default)]
struct Page {
    /// The ids of its events, in their order.
    seen: Vec<u64>,
}

impl Page {
    /// Connects once and follows until the server cuts the stream: it says so by an error without an id, after which an
    /// `EventSource` comes again, and which is no end for good.
    async fn follow(&mut self, rest: &Rest, path: &str) {
        let last = self.seen.last().map(u64::to_string);
        let headers: Vec<_> = last.iter().map(|id| ("last-event-id", id.as_str())).collect();
        let mut stream = rest.open(path, "text/event-stream", &headers).await;
        assert_eq!(stream.status(), 200, "an EventSource would not come again");
        let until_the_end = async {
            while let Some(event) = stream.next_event().await {
                if event.event == "error" {
                    assert!(event.data.contains("STREAM_CUT") && event.id.is_empty(), "{event:?}");
                    assert_eq!(stream.next_event().await, None, "it is the last event");
                    return;
                }
                assert_eq!(event.event, "", "{event:?}");
                self.seen.push(event.id.parse().unwrap());
            }
            panic!("the stream ended without a word");
        };
        tokio::time::timeout(CONNECTION_MAX, until_the_end).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_whose_life_is_over_goes_on_where_it_ended() {
    let folder = Folder::new();
    let data = folder.path().to_string_lossy().into_owned();
    let short = [("MILLRACE_LIMITS__STREAM_MAX_MS", "400")];
    let platform = TestPlatform::start(&folder, &["dev", "--data-dir", &data], &short).await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let path = format!("/v1/{}/orders:watch", shopper.name);

    let mut page = Page::default();
    // Nothing has happened yet: the page comes again all the same.
    page.follow(&shopper.rest, &path).await;
    for _ in 0..3 {
        shopper.order(&product, 1).await;
        tokio::join!(shopper.order(&product, 1), page.follow(&shopper.rest, &path));
    }
    // The last order may have come after its connection's end.
    page.follow(&shopper.rest, &path).await;
    assert_eq!(page.seen, [1, 2, 3, 4, 5, 6]);

    // A script, which does not come again by itself, is told.
    let mut lines = shopper.rest.open(&path, "application/x-ndjson", &[]).await;
    let mut last = String::new();
    while let Some(line) = lines.next().await {
        last = line;
    }
    assert!(last.contains("\"error\"") && last.contains("STREAM_CUT"), "{last}");

    let malformed = [("accept", "text/event-stream"), ("last-event-id", "yesterday")];
    let refused = shopper.rest.send(Method::GET, &path, &malformed, "").await;
    refused.refuses(400, "INVALID_FIELD");
    assert!(String::from_utf8_lossy(&refused.body).contains("Last-Event-ID"));
}

#[tokio::test]
async fn a_stream_that_a_shutdown_ends_goes_on_after_the_next_start() {
    let mut platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let (product, shopper) = (shop::product(&operator).await, Shopper::new(&operator).await);
    let path = format!("/v1/{}/orders:watch", shopper.name);
    shopper.order(&product, 1).await;
    let mut stream = shopper.rest.open(&path, "text/event-stream", &[]).await;
    let first = stream.next_event().await.unwrap();
    assert_eq!(first.id, "1");

    platform.terminate();
    let cut = tokio::time::timeout(CONNECTION_MAX, stream.next_event()).await.unwrap();
    let cut = cut.expect("the page is told");
    assert!(cut.event == "error" && cut.id.is_empty(), "no end for good: {cut:?}");
    assert!(cut.data.contains("STREAM_CUT"), "{cut:?}");
    assert_eq!(stream.next_event().await, None);
    platform.ended(CONNECTION_MAX).await;

    let folder = platform.folder().clone();
    drop(platform);
    let platform = TestPlatform::dev_with(&folder, &[]).await;
    let shopper = Shopper {
        rest: Rest::new(platform.public).with_key(&shopper.key),
        ..shopper
    };
    let second = shopper.order(&product, 1).await;
    let mut stream = shopper
        .rest
        .open(&path, "text/event-stream", &[("last-event-id", &first.id)])
        .await;
    let event = stream.next_event().await.unwrap();
    assert_eq!(event.id, "2");
    assert!(event.data.contains(second["name"].as_str().unwrap()), "{event:?}");
}
