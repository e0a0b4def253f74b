//! TLS to a server: whom it trusts, and what it shows.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::Error;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::pem;
use crate::upstream::settings::{Tls, UpstreamError};

/// The only protocol that is offered; gRPC has no other.
pub(super) const HTTP2: &[u8] = b"h2";

/// Reads the files of the settings.
pub(super) fn connector(settings: &Tls) -> Result<TlsConnector, UpstreamError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(UpstreamError::Certificates)?
        .with_root_certificates(roots(settings)?);
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = certificates(&client.certificate)?;
            let key = pem::private_key(&client.key).map_err(|source| UpstreamError::File {
                what: "private key",
                path: client.key.clone(),
                source,
            })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(UpstreamError::Certificates)?
        }
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(settings: &Tls) -> Result<RootCertStore, UpstreamError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &settings.ca else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the system's certificates cannot be read");
        }
        return match roots.add_parsable_certificates(found.certs) {
            (0, _) => Err(UpstreamError::NoSystemRoots),
            _ => Ok(roots),
        };
    };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(UpstreamError::Certificates)?;
    }
    Ok(roots)
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, UpstreamError> {
    pem::certificates(path).map_err(|error| match error {
        Error::NoItemsFound => UpstreamError::NoCertificate(path.to_owned()),
        source => UpstreamError::File {
            what: "certificates",
            path: path.to_owned(),
            source,
        },
    })
}
