//! One page of a list (AIP-158, AIP-217): where it begins, how many rows to read, and the token of the next one.

use millrace_chassis::page::{self, Binding, Cursor, PageError, PageTokens};
use millrace_chassis::shard::ShardId;

/// Bytes of rows in one answer: below the 4 MiB that gRPC clients take if they are not told otherwise.
pub(crate) const ANSWER_BYTES_MAX: usize = 3 << 20;

/// More than the bytes of a row's parts whose length hardly varies: names, times, amounts, etag.
pub(crate) const FIXED_BYTES: usize = 160;

/// A page that is being read.
pub(crate) struct Page<'a> {
    tokens: &'a PageTokens,
    binding: Binding<'a>,
    size: usize,
    cursor: Option<Cursor>,
}

/// The end of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Asks for the next page; empty at the end of the list.
    pub(crate) next_page_token: String,
    /// Shards that were missed on any page, as `shards/{shard}`; on the last page only.
    pub(crate) unreachable: Vec<String>,
}

impl<'a> Page<'a> {
    /// Opens the page that a request asks for.
    ///
    /// # Errors
    /// The size is negative, or the token is malformed, expired, or of another list or caller.
    pub(crate) fn open(
        tokens: &'a PageTokens,
        binding: Binding<'a>,
        size: i32,
        token: &str,
    ) -> Result<Self, PageError> {
        let size = page::page_size(size)?;
        let cursor = tokens.verify(&binding, token)?;
        Ok(Self {
            tokens,
            binding,
            size,
            cursor,
        })
    }

    /// Returns the key after which the page begins, `None` for the first page.
    pub(crate) fn after(&self) -> Option<&str> {
        self.cursor.as_ref().map(|cursor| cursor.last_key.as_str())
    }

    /// Returns the key after which the page begins as a number, `None` for the first page.
    pub(crate) fn after_number(&self) -> Option<i64> {
        // Tokens are signed: their keys were numbers when we wrote them.
        self.after().and_then(|key| key.parse().ok())
    }

    /// Returns how many rows to read: one more than the page holds, to see whether there is a next one.
    pub(crate) fn rows_to_read(&self) -> usize {
        self.size + 1
    }

    /// Makes the page shorter if its rows, of about `bytes` each as messages, would make an answer larger than clients
    /// take (AIP-158 allows it). One row always fits.
    pub(crate) fn fit<T>(&mut self, rows: &[T], bytes: impl Fn(&T) -> usize) {
        let mut total = 0_usize;
        let fitting = rows
            .iter()
            .take_while(|row| {
                total += bytes(row);
                total <= ANSWER_BYTES_MAX
            })
            .count();
        self.size = self.size.min(fitting.max(1));
    }

    /// Cuts the rows to the page and ends it.
    pub(crate) fn close<T>(self, rows: &mut Vec<T>, missed: &[ShardId], key: impl Fn(&T) -> String) -> End {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let mut all_missed = self.cursor.map(|cursor| cursor.missed).unwrap_or_default();
        all_missed.extend(missed);
        all_missed.sort_unstable();
        all_missed.dedup();
        match rows.last() {
            Some(last) if more => End {
                next_page_token: self.tokens.sign(
                    &self.binding,
                    &Cursor {
                        last_key: key(last),
                        missed: all_missed,
                    },
                ),
                unreachable: Vec::new(),
            },
            _ => End {
                next_page_token: String::new(),
                unreachable: all_missed.iter().map(|shard| format!("shards/{shard}")).collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_chassis::clock::Clock;

    use super::*;

    #[test]
    fn a_page_is_cut_where_clients_would_refuse_it() {
        let tokens = PageTokens::new(&["a secret of thirty-two characters".to_owned()], Clock::manual(0));
        let binding = Binding {
            method: "m",
            parent: "",
            filter: "",
            caller: None,
        };
        let mebi = 1 << 20;
        // Rows of so many bytes, and how many of them a page of ten holds.
        for (sizes, fitting) in [
            (vec![100; 3], 3),
            (vec![100; 11], 10),
            (vec![mebi; 5], 3),
            (vec![9 * mebi; 2], 1),
        ] {
            let mut page = Page::open(&tokens, binding, 10, "").unwrap();
            let mut rows = sizes.clone();
            page.fit(&rows, |bytes| *bytes);
            let end = page.close(&mut rows, &[], |_| "key".to_owned());
            assert_eq!(rows.len(), fitting, "{sizes:?}");
            assert_eq!(end.next_page_token.is_empty(), rows.len() == sizes.len(), "{sizes:?}");
        }
    }
}
