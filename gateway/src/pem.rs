//! Certificates and keys in PEM files, as the public listener and the upstreams read them.

use std::path::Path;

use millrace_cli::read_file;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Bytes of a file: those of all authorities that a system trusts are 300 KB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads the certificates of a file, of which there is at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(Error::NoItemsFound);
    }
    Ok(found)
}

/// Reads the first private key of a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_file(path, FILE_BYTES_MAX).map_err(Error::Io)
}
