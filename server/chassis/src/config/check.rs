//! What the types of the settings cannot say: bounds, forms, and values that contradict each other. `config check`,
//! `dev` and `serve` all come through here, so that what one accepts no other refuses.

use std::ops::RangeInclusive;

use millrace_cli::{listeners_overlap, log};
use millrace_gateway::BODY_BYTES_MAX;
use millrace_gateway::edge::check_origin;

use crate::config::{Limits, Log, Problems, Secrets, Server};

/// Fewest bytes of a secret.
const SECRET_BYTES_MIN: usize = 32;
/// tonic's own bound of a message; a larger setting would have no effect.
const MESSAGE_BYTES_MAX: u64 = 4 << 20;
/// More is a slip of the keyboard: no process holds as many sockets.
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

impl Server {
    /// Checks the addresses and origins.
    pub fn check(&self, problems: &mut Problems) {
        self.check_addresses(problems);
        self.check_origins(problems);
    }

    /// Checks that each listener has an address of its own.
    pub fn check_addresses(&self, problems: &mut Problems) {
        if let Some(admin) = self.admin_listen
            && listeners_overlap(self.listen, admin)
        {
            let problem = "must not be that of `server.listen`: give another port, or `off`";
            problems.value("server.admin_listen", admin, problem);
        }
    }

    /// Checks that each origin can be that of a page.
    pub fn check_origins(&self, problems: &mut Problems) {
        for origin in &self.cors_origins {
            if let Err(problem) = check_origin(origin) {
                problems.value("server.cors_origins", format_args!("`{origin}`"), problem);
            }
        }
    }
}

impl Limits {
    /// Checks that each is within its bounds.
    pub fn check(&self, problems: &mut Problems) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let bounds: [(&str, u64, RangeInclusive<u64>); 16] = [
            ("connections", count(self.connections), COUNT),
            ("connections_per_ip", count(self.connections_per_ip), COUNT),
            ("streams_per_connection", self.streams_per_connection.into(), 1..=10_000),
            ("first_request_ms", self.first_request_ms, 1..=HOUR_MS),
            ("body_ms", self.body_ms, 1..=HOUR_MS),
            // A memory that does not hold one body would refuse it for ever.
            (
                "body_memory_bytes",
                count(self.body_memory_bytes),
                count(BODY_BYTES_MAX)..=1 << 40,
            ),
            // Nor does one that holds no answer.
            (
                "answer_memory_bytes",
                count(self.answer_memory_bytes),
                1 << 20..=1 << 40,
            ),
            ("idle_ms", self.idle_ms, 1..=DAY_MS),
            ("unread_ms", self.unread_ms, 1..=DAY_MS),
            ("calls", count(self.calls), COUNT),
            ("streams", count(self.streams), COUNT),
            ("message_bytes", count(self.message_bytes), 1..=MESSAGE_BYTES_MAX),
            ("deadline_default_ms", self.deadline_default_ms, 1..=DAY_MS),
            ("deadline_max_ms", self.deadline_max_ms, 1..=DAY_MS),
            ("stream_max_ms", self.stream_max_ms, 0..=30 * DAY_MS),
            ("drain_ms", self.drain_ms, 0..=HOUR_MS),
        ];
        for (key, value, bounds) in bounds {
            if !bounds.contains(&value) {
                let problem = format!("must be {} to {}", bounds.start(), bounds.end());
                problems.value(&format!("limits.{key}"), value, problem);
            }
        }
    }
}

impl Log {
    /// Checks that the filter can be read.
    pub fn check(&self, problems: &mut Problems) {
        if let Err(error) = log::filter(&self.filter) {
            let problem = format_args!("cannot be read ({error}); write it as `info,millrace_chassis=debug`");
            problems.value("log.filter", format_args!("`{}`", self.filter), problem);
        }
    }
}

impl Secrets {
    /// Checks that each secret is long enough.
    pub fn check(&self, problems: &mut Problems) {
        for (index, secret) in self.page_token.iter().enumerate() {
            if secret.len() < SECRET_BYTES_MIN {
                let (number, bytes) = (index + 1, secret.len());
                let problem = format_args!(
                    "has {bytes} bytes in its entry {number}, but needs {SECRET_BYTES_MIN}, as from `openssl rand -hex 32`"
                );
                problems.hidden("secrets.page_token", problem);
            }
        }
    }

    /// Checks that there is what a server signs with.
    pub fn check_for_serving(&self, problems: &mut Problems) {
        self.check(problems);
        if self.page_token.is_empty() {
            let remedy = format_args!("list one secret of {SECRET_BYTES_MIN} bytes, as from `openssl rand -hex 32`");
            problems.missing("secrets.page_token", remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(check: impl FnOnce(&mut Problems)) -> String {
        let mut problems = Problems::default();
        check(&mut problems);
        problems
            .done()
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn limits_have_bounds_on_both_sides() {
        type Case = (fn(&mut Limits), &'static str);
        let cases: [Case; 9] = [
            (|_| {}, ""),
            (|limits| limits.stream_max_ms = 0, ""),
            (|limits| limits.message_bytes = (4 << 20) + 1, "`limits.message_bytes`"),
            (|limits| limits.connections = 0, "`limits.connections`"),
            // A semaphore panics on as many.
            (
                |limits| limits.calls = usize::MAX,
                "is 18446744073709551615; it must be 1 to 1000000",
            ),
            // So does the sum of a time and as many.
            (|limits| limits.idle_ms = u64::MAX, "`limits.idle_ms`"),
            (
                |limits| limits.body_memory_bytes = (1 << 20) - 1,
                "`limits.body_memory_bytes`",
            ),
            (
                |limits| limits.answer_memory_bytes = (1 << 20) - 1,
                "`limits.answer_memory_bytes`",
            ),
            (|limits| limits.deadline_default_ms = 0, "`limits.deadline_default_ms`"),
        ];
        for (change, expected) in cases {
            let mut limits = Limits::default();
            change(&mut limits);
            let found = found(|problems| limits.check(problems));
            assert_eq!(found.is_empty(), expected.is_empty(), "{found}");
            assert!(found.contains(expected), "{found} lacks {expected}");
        }
    }

    #[test]
    fn an_origin_has_the_form_that_a_browser_sends() {
        for (origin, expected) in [
            ("https://shop.example", ""),
            ("http://localhost:3000", ""),
            ("http://[::1]:3000", ""),
            ("https://xn--bcher-kva.example", ""),
            ("*", "list each"),
            ("https://*.example", "list each"),
            ("shop.example", "begin with"),
            ("ftp://shop.example", "begin with"),
            ("null", "begin with"),
            ("https://shop.example/", "without a path"),
            ("https://shop.example/a", "without a path"),
            ("https://shop.example?a", "without a path"),
            ("https://me@shop.example", "without a path or user"),
            ("https://", "name a host"),
            ("https://bücher.example", "xn--"),
            ("https://Shop.example", "small letters"),
            ("https://shop.example:", "a port"),
            ("https://shop.example:99999", "a port"),
            ("https://shop.example:0", "a port"),
            ("https://shop.example:443", "`https://shop.example`"),
            ("http://shop.example:80", "`http://shop.example`"),
        ] {
            let found = check_origin(origin).err().unwrap_or_default();
            assert_eq!(found.is_empty(), expected.is_empty(), "{origin}: {found}");
            assert!(found.contains(expected), "{origin}: {found} lacks {expected}");
        }
    }

    #[test]
    fn two_listeners_need_two_ports() {
        for (listen, admin, expected) in [
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.1:1", true),
        ] {
            let server = Server {
                listen: listen.parse().unwrap(),
                admin_listen: Some(admin.parse().unwrap()),
                ..Server::default()
            };
            let found = found(|problems| server.check(problems));
            assert_eq!(
                found.contains("`server.admin_listen`"),
                expected,
                "{listen} {admin}: {found}"
            );
        }
    }

    #[test]
    fn secrets_are_long_and_never_shown() {
        let secrets = |secrets: &[&str]| Secrets {
            page_token: secrets.iter().map(ToString::to_string).collect(),
        };
        let good = "0123456789abcdef0123456789abcdef";
        assert_eq!(found(|problems| secrets(&[good]).check_for_serving(problems)), "");
        let short = found(|problems| secrets(&[good, "hush", "hush-hush"]).check_for_serving(problems));
        assert!(short.contains("entry 2") && short.contains("entry 3"), "{short}");
        assert!(!short.contains("hush"), "{short}");
        assert_eq!(found(|problems| secrets(&[]).check(problems)), "");
        let missing = found(|problems| secrets(&[]).check_for_serving(problems));
        assert!(missing.contains("`secrets.page_token` is missing"), "{missing}");
    }
}
