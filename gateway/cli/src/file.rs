//! Reads the files that a command line or settings name, within a bound: a name may be a pipe's that nobody writes to, or
//! a device's that never ends.

use std::fs::{File, FileType};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads a whole file. A link is what it leads to; a device is read as far as its bytes go.
///
/// # Errors
/// It cannot be read, is a pipe or a socket, or is larger than `bytes_max`.
pub fn read_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    // Before it is opened: to open a pipe is to wait for somebody who writes.
    if is_pipe(std::fs::metadata(path)?.file_type()) {
        let problem = "it is a pipe, which may never end: write what comes from it to a file, and name that";
        return Err(io::Error::new(ErrorKind::InvalidInput, problem));
    }
    read_stream(path, bytes_max)
}

/// Reads a file or what a pipe brings, to its end.
///
/// # Errors
/// It cannot be read, or is larger than `bytes_max`.
pub fn read_stream(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if read as u64 > bytes_max {
        let problem = format!("it is larger than {} MiB", bytes_max >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo() || kind.is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}
