//! Whose the databases are while they are open: a folder of files belongs to one process, servers to all.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::Path;

use crate::config;
use crate::shard::open::OpenError;

/// Who else may have the databases.
pub(super) enum Hold {
    /// They are on servers, which many use at once.
    Shared,
    /// This process has the folder, as long as the file is open.
    Folder(File),
    /// Another process has the folder, and we are beside it; the error says so where that is not possible.
    Another(OpenError),
}

impl Hold {
    pub(super) fn take(database: &config::Database) -> Result<Self, OpenError> {
        match database {
            config::Database::Embedded { data_dir, .. } => lock_folder(data_dir).map(Self::Folder),
            config::Database::Postgres { .. } => Ok(Self::Shared),
        }
    }
}

/// Makes the folder and takes its lock, which ends with the process.
fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let fault = |source| OpenError::Folder {
        folder: folder.to_owned(),
        source,
    };
    // The files hold what users trusted us with: a folder that we make is the owner's alone.
    let mut made = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut made, 0o700);
    made.recursive(true).create(folder).map_err(fault)?;
    let path = folder.join("millrace.lock");
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {
            // For whoever finds the folder taken. What counts is the lock, not the number.
            let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            noted.map_err(fault)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let noted = std::fs::read_to_string(&path).ok();
            Err(OpenError::InUse {
                folder: folder.to_owned(),
                pid: noted.and_then(|text| text.trim().parse().ok()),
            })
        }
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}
