//! What the limit of open files leaves for connections of callers.

use millrace_chassis::ADMIN_CONNECTIONS_MAX;
use millrace_chassis::config::Limits;
use millrace_cli::OpenFiles;

/// Standard streams, listeners, what the runtime polls with, files that are read, calls to this process itself, and
/// connections above the caps until they are closed.
const OTHERS: usize = 128;

/// Of a connection to SQLite: the file, its log, and its shared memory.
const FILES_PER_CONNECTION: usize = 3;

/// Lowers the cap of connections to what fits under the limit beside so many shards with pools of this size for each
/// role; fewer than the settings ask for are better than none for the probes and the databases when callers hold all.
pub(super) fn fit(limits: &mut Limits, open_files: OpenFiles, shards: usize, pool_size: u32) {
    // Writers and readers, of each shard and of the global database.
    let pooled = (shards + 1) * 2 * pool_size as usize * FILES_PER_CONNECTION;
    let wanted = limits.connections;
    let served = open_files.connections(wanted, ADMIN_CONNECTIONS_MAX + OTHERS + pooled);
    if served == wanted {
        return;
    }
    tracing::warn!(
        open_files = open_files.limit(),
        "limits.connections" = wanted,
        served,
        "the limit of open files is too low for limits.connections: fewer are served; raise it (ulimit -Hn, LimitNOFILE)"
    );
    limits.connections = served;
    limits.connections_per_ip = OpenFiles::share(limits.connections_per_ip, served, wanted);
}
