//! Connections to SQLite files: statements run in place on the calling task, so no dropped future can leave one half
//! done, and on a current-thread runtime one seed replays a whole run.

use std::error::Error;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::shard::pg::Role;

/// Longest wait for a lock of a file. Nobody but this process uses it, so there is hardly ever one to wait for.
pub(crate) const BUSY_MAX: Duration = Duration::from_secs(2);

/// Returns the statement that limits the wait for a lock.
pub(crate) fn busy_timeout(wait: Duration) -> String {
    format!("PRAGMA busy_timeout = {}", wait.as_millis())
}

/// A SQLite connection whose statements run in place on the calling task.
pub type Lite = SyncConnectionWrapper<SqliteConnection, InPlace>;

/// Runs a statement on the spot. On many threads tokio first moves the thread's other tasks away.
#[derive(Debug)]
pub struct InPlace;

impl SpawnBlocking for InPlace {
    fn spawn_blocking<'a, R: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>> {
        let many_threads = Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::MultiThread);
        let result = if many_threads {
            tokio::task::block_in_place(task)
        } else {
            task()
        };
        std::future::ready(Ok(result)).boxed()
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// SQLite cannot open it.
    #[error("SQLite cannot open the file")]
    Open(#[from] diesel::ConnectionError),
    /// A setting was refused: not a database, read-only, locked.
    #[error("SQLite cannot use the file")]
    Setup(#[from] diesel::result::Error),
    /// The file's name is not UTF-8.
    #[error("the path is not UTF-8")]
    Path,
    /// A connection was given back in a transaction; the pool replaces it.
    #[error("the connection is broken")]
    Broken,
    /// The file was removed, or another one put in its place, while this process had it open.
    #[error("the file is no longer the one that was opened; put that one back, or restart")]
    Replaced,
}

/// Makes connections to one file.
#[derive(Debug)]
pub struct LiteManager {
    path: PathBuf,
    role: Role,
    /// Which file it is: the one that was there first.
    file: OnceLock<FileId>,
}

/// Device and inode: what stays of a file whatever its path leads to.
type FileId = (u64, u64);

impl LiteManager {
    pub(crate) fn new(path: &Path, role: Role) -> Self {
        let file = file_id(path).map(OnceLock::from).unwrap_or_default();
        Self {
            path: path.to_owned(),
            role,
            file,
        }
    }

    /// Whether the path still leads to the file. A connection writes on into a file that was removed, and all that it
    /// writes is lost when the last of them closes: SQLite itself minds this only without a WAL.
    fn is_in_place(&self) -> bool {
        file_id(&self.path).is_some_and(|now| *self.file.get_or_init(|| now) == now)
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Turns a path into a `file:` URI, so that no character of it is taken for a parameter and, with `mode=rw`, a file
/// that vanished is an error instead of a new empty database.
fn uri(path: &Path, mode: &str) -> Option<String> {
    let path = path.to_str()?;
    let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Some(format!("file:{escaped}?mode={mode}"))
}

/// Makes a new file its owner's alone, whatever the umask; SQLite gives the files beside it the same mode. One that is
/// there is not opened: closing it would take away the locks that this process has on it. What goes wrong here goes
/// wrong for SQLite too, which says so.
fn make_private(path: &Path) {
    let mut new = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let _ = new.write(true).create_new(true).open(path);
}

impl bb8::ManageConnection for LiteManager {
    type Connection = Lite;
    type Error = FileError;

    async fn connect(&self) -> Result<Lite, FileError> {
        // Only opening a database set may create a file.
        let mode = if self.role == Role::Admin { "rwc" } else { "rw" };
        if self.role == Role::Admin {
            make_private(&self.path);
        }
        let mut conn = Lite::establish(&uri(&self.path, mode).ok_or(FileError::Path)?).await?;
        if !self.is_in_place() {
            return Err(FileError::Replaced);
        }
        // The time limit comes first: the others may have to wait for a lock.
        conn.batch_execute(&busy_timeout(BUSY_MAX)).await?;
        conn.batch_execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;")
            .await?;
        match self.role {
            Role::Reader => conn.batch_execute("PRAGMA query_only = ON;").await?,
            Role::Writer | Role::Admin => conn.batch_execute("PRAGMA journal_mode = WAL;").await?,
        }
        Ok(conn)
    }

    /// Asked before each loan; a look at the file takes about a microsecond.
    async fn is_valid(&self, conn: &mut Lite) -> Result<(), FileError> {
        if PoolableConnection::is_broken(conn) {
            Err(FileError::Broken)
        } else if !self.is_in_place() {
            Err(FileError::Replaced)
        } else {
            Ok(())
        }
    }

    fn has_broken(&self, conn: &mut Lite) -> bool {
        std::thread::panicking() || PoolableConnection::is_broken(conn)
    }
}

#[cfg(test)]
mod tests {
    use bb8::ManageConnection as _;

    use super::*;

    #[tokio::test]
    async fn a_file_that_was_removed_or_replaced_is_lent_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("a.db"), folder.path().join("aside.db"));
        let connect = async |role| LiteManager::new(&path, role).connect().await;
        drop(connect(Role::Admin).await.unwrap());
        let manager = LiteManager::new(&path, Role::Writer);
        let mut conn = manager.connect().await.unwrap();
        manager.is_valid(&mut conn).await.unwrap();

        std::fs::rename(&path, &aside).unwrap();
        let refused = manager.is_valid(&mut conn).await.unwrap_err();
        assert!(matches!(refused, FileError::Replaced), "{refused}");

        drop(connect(Role::Admin).await.unwrap());
        for refused in [manager.is_valid(&mut conn).await, manager.connect().await.map(drop)] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, FileError::Replaced), "{refused}");
        }

        std::fs::rename(&aside, &path).unwrap();
        manager.is_valid(&mut conn).await.unwrap();
        drop(manager.connect().await.unwrap());
    }

    #[test]
    fn paths_cannot_smuggle_parameters() {
        for (path, expected) in [
            ("/a/b.db", "file:/a/b.db?mode=rw"),
            (
                "/a?mode=memory/b#c%20.db",
                "file:/a%3fmode=memory/b%23c%2520.db?mode=rw",
            ),
        ] {
            assert_eq!(uri(Path::new(path), "rw").as_deref(), Some(expected));
        }
    }
}
