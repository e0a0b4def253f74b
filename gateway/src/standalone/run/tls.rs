//! TLS on the public listener: certificate and key from files, HTTP/2 or HTTP/1.1 by ALPN.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio_rustls::TlsAcceptor;

use super::super::settings::Tls;
use super::super::{Exit, Failure};
use crate::pem;

/// What accepts TLS, if the settings ask for it.
pub(super) fn acceptor(settings: &Tls) -> Result<Option<TlsAcceptor>, Failure> {
    let (Some(cert_file), Some(key_file)) = (&settings.cert_file, &settings.key_file) else {
        return Ok(None);
    };
    let unreadable = |what: &'static str, path: &Path| {
        let message = format!("the {what} {} cannot be used", path.display());
        move |error: rustls::pki_types::pem::Error| {
            Failure::new(Exit::Configuration, message, error).help("give a file in PEM")
        }
    };
    let chain = pem::certificates(cert_file).map_err(unreadable("certificate", cert_file))?;
    let key = pem::private_key(key_file).map_err(unreadable("private key", key_file))?;
    let refuse = |error: rustls::Error| {
        let message = format!("certificate {} and its key do not work", cert_file.display());
        Failure::new(Exit::Configuration, message, error)
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refuse)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(refuse)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
