//! A list as a stream: page after page is fetched as the items are taken.

use std::future::Future;

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tonic::Status;

use crate::Error;

/// Streams the items of a list, fetching a page when the one before is used up.
///
/// `fetch` gets a page token, empty for the first page, and answers with the page's items and its `next_page_token`.
/// Nothing is fetched ahead. The stream ends after the last page, or after the first error; a server that hands out the
/// same token twice in a row is an error, not an endless stream.
///
/// ```
/// use futures_util::TryStreamExt;
/// use millrace_client::ordering::v1::{ListOrdersRequest, Order};
/// use millrace_client::ordering::v1::ordering_service_client::OrderingServiceClient;
/// use millrace_client::{Client, Error, pages};
///
/// async fn every_order(client: &Client) -> Result<Vec<Order>, Error> {
///     let ordering = OrderingServiceClient::new(client.channel());
///     let orders = pages(|page_token| {
///         let mut ordering = ordering.clone();
///         async move {
///             let parent = "users/me".to_owned();
///             let request = ListOrdersRequest { parent, page_token, ..Default::default() };
///             let page = ordering.list_orders(request).await?.into_inner();
///             Ok((page.orders, page.next_page_token))
///         }
///     });
///     orders.try_collect().await
/// }
/// ```
pub fn pages<'a, Item, Fetch, Page>(mut fetch: Fetch) -> BoxStream<'a, Result<Item, Error>>
where
    Item: Send + 'a,
    Fetch: FnMut(String) -> Page + Send + 'a,
    Page: Future<Output = Result<(Vec<Item>, String), Error>> + Send + 'a,
{
    let pages = stream::try_unfold(Some(String::new()), move |token| {
        let page = token.map(|token| (fetch(token.clone()), token));
        async move {
            let Some((page, token)) = page else {
                return Ok(None);
            };
            let (items, next_token) = page.await?;
            if !next_token.is_empty() && next_token == token {
                return Err(Error::from(Status::internal(
                    "the list's page token leads back to the same page",
                )));
            }
            let rest = (!next_token.is_empty()).then_some(next_token);
            Ok(Some((stream::iter(items.into_iter().map(Ok)), rest)))
        }
    });
    pages.try_flatten().boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of three items up to item 8; `fetched` holds the tokens asked for.
    fn numbers(fetched: &mut Vec<String>) -> BoxStream<'_, Result<usize, Error>> {
        pages(|token: String| {
            fetched.push(token.clone());
            async move {
                let start = token.parse().unwrap_or(0);
                let end = usize::min(start + 3, 8);
                let next = if end < 8 { end.to_string() } else { String::new() };
                Ok(((start..end).collect(), next))
            }
        })
    }

    #[tokio::test]
    async fn joins_the_pages_in_order() {
        let mut fetched = Vec::new();
        let items: Vec<usize> = numbers(&mut fetched).try_collect().await.unwrap();
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(fetched, ["", "3", "6"]);
    }

    #[tokio::test]
    async fn fetches_no_page_ahead() {
        let mut fetched = Vec::new();
        let items: Vec<_> = numbers(&mut fetched).take(3).collect().await;
        assert_eq!(items.len(), 3);
        assert_eq!(fetched, [""]);
    }

    #[tokio::test]
    async fn skips_an_empty_page_in_the_middle_and_ends_at_an_error() {
        let mut stream = pages(|token: String| async move {
            match token.as_str() {
                "" => Ok((vec![1], "a".into())),
                "a" => Ok((Vec::new(), "b".into())),
                "b" => Ok((vec![2], "c".into())),
                _ => Err(Error::from(Status::unavailable("gone"))),
            }
        });
        assert_eq!(stream.next().await.unwrap().unwrap(), 1);
        assert_eq!(stream.next().await.unwrap().unwrap(), 2);
        assert!(stream.next().await.unwrap().unwrap_err().is_unavailable());
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_token_that_stands_still_is_an_error() {
        let stream = pages(|_| async { Ok((vec![1], "same".to_owned())) });
        let items: Vec<_> = stream.take(10).collect().await;
        assert_eq!(items.len(), 2);
        assert_eq!(items[1].as_ref().unwrap_err().code(), tonic::Code::Internal);
    }
}
