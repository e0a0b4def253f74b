//! What the limit of open files leaves for connections of callers.

use millrace_cli::OpenFiles;

use super::super::settings::Settings;
use crate::admin;
use crate::serve::ConnectionLimits;

/// Standard streams, listeners, what the runtime polls with, files that are read, names that are looked up, and
/// connections above the caps until they are closed.
const OTHERS: usize = 64;

/// Raises the limit of open files, and returns the bounds of connections that fit under it. Fewer than the settings ask
/// for are better than none for the probes and the upstreams when callers hold all.
pub(super) fn limits(settings: &Settings) -> ConnectionLimits {
    let mut limits = settings.limits.connections;
    let open_files = OpenFiles::raise();
    let admin = settings.admin_listen.map_or(0, |_| admin::CONNECTIONS_MAX);
    let upstreams = settings.upstreams.iter().fold(0_usize, |sum, upstream| {
        let (usual, most) = (upstream.connection.connections, upstream.connection.connections_max);
        // One that leaves finishes its calls beside the one that replaces it.
        sum.saturating_add(usual.max(most).saturating_add(usual))
    });
    let kept = upstreams.saturating_add(admin + OTHERS);
    let wanted = limits.connections;
    let served = open_files.connections(wanted, kept);
    if served < wanted {
        tracing::warn!(
            open_files = open_files.limit(),
            "limits.connections" = wanted,
            served,
            "the limit of open files is too low for limits.connections: fewer are served; raise it (ulimit -Hn, \
             LimitNOFILE)"
        );
        limits.connections = served;
        limits.connections_per_ip = OpenFiles::share(limits.connections_per_ip, served, wanted);
    }
    limits
}
