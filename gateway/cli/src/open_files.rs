//! How many files a process may have open. Each connection is one, and many systems begin with 1,024 of which a process
//! may take more at its own word: without that word one peer's idle connections take all, and with them the probes, the
//! connections to servers behind, and the databases.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Of a limit, at least this share is for connections, however little that leaves for the rest.
const CONNECTIONS_SHARE_MIN: u64 = 4;

/// The limit of open files that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles(Option<u64>);

impl OpenFiles {
    /// Raises the limit of this process as far as the system allows it. Where the system refuses, it stays.
    pub fn raise() -> Self {
        let mut limit = getrlimit(Resource::Nofile);
        let before = limit.current;
        limit.current = limit.maximum;
        let is_raised = limit.current != before && setrlimit(Resource::Nofile, limit).is_ok();
        Self(if is_raised { limit.current } else { before })
    }

    /// How many of so many connections can be served while `kept` files are left for all else.
    pub fn connections(self, wanted: usize, kept: usize) -> usize {
        let Some(limit) = self.0 else {
            return wanted;
        };
        let left = limit.saturating_sub(kept as u64).max(limit / CONNECTIONS_SHARE_MIN);
        wanted.min(usize::try_from(left).unwrap_or(usize::MAX)).max(1)
    }

    /// The cap of one peer when of so many wanted connections fewer are served: the same part of them.
    pub fn share(per_peer: usize, served: usize, wanted: usize) -> usize {
        let part = per_peer as u128 * served as u128 / wanted.max(1) as u128;
        usize::try_from(part).unwrap_or(usize::MAX).max(1)
    }

    /// The limit; `None` is without end.
    pub fn limit(self) -> Option<u64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        for (limit, wanted, kept, expected) in [
            (None, 4_096, 200, 4_096),
            (Some(1 << 20), 4_096, 200, 4_096),
            (Some(4_296), 4_096, 200, 4_096),
            (Some(4_096), 4_096, 200, 3_896),
            (Some(256), 4_096, 200, 64),
            (Some(256), 10, 200, 10),
            (Some(2), 4_096, 200, 1),
        ] {
            let open_files = OpenFiles(limit);
            assert_eq!(open_files.connections(wanted, kept), expected, "{limit:?}");
        }
    }

    #[test]
    fn one_peer_keeps_its_part() {
        for (per_peer, served, wanted, expected) in [
            (1_024, 64, 4_096, 16),
            (4_096, 64, 4_096, 64),
            (1, 64, 4_096, 1),
            (100, 0, 0, 1),
        ] {
            assert_eq!(
                OpenFiles::share(per_peer, served, wanted),
                expected,
                "{per_peer} {served} {wanted}"
            );
        }
    }

    #[test]
    fn the_limit_is_the_hard_one() {
        assert_eq!(OpenFiles::raise().limit(), getrlimit(Resource::Nofile).maximum);
    }
}
