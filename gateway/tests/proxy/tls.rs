//! TLS to the server: whom the gateway trusts, and what it shows.

use std::path::PathBuf;
use std::sync::Arc;

use millrace_gateway::upstream::{ClientIdentity, Health, Settings, Tls, Upstream};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::front::{Front, settings};
use crate::shop::Shop;

/// An authority, and what it signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    files: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            files: TempDir::new().unwrap(),
        }
    }

    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn ca_file(&self) -> PathBuf {
        self.file("ca.pem", &self.certificate.pem())
    }

    fn client(&self) -> ClientIdentity {
        let (certificate, key) = self.sign("gateway");
        ClientIdentity {
            certificate: self.file("client.pem", &certificate.pem()),
            key: self.file("client.key", &key.serialize_pem()),
        }
    }

    /// A server for `localhost`, which asks its callers for a certificate of `clients`, if given.
    fn acceptor(&self, clients: Option<&Self>, alpn: &[&[u8]]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.certificate.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let (certificate, key) = self.sign("localhost");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    async fn shop(&self, clients: Option<&Self>) -> Shop {
        Shop::on(
            "127.0.0.1:0".parse().unwrap(),
            Some(self.acceptor(clients, &[b"h2"])),
            200,
        )
        .await
    }
}

fn secure(host: &str, shop: &Shop, tls: Tls) -> Settings {
    Settings {
        url: format!("https://{host}:{}", shop.address.port()),
        tls,
        ..settings(shop.address)
    }
}

fn trusting(authority: &Authority) -> Tls {
    Tls {
        ca: Some(authority.ca_file()),
        ..Tls::default()
    }
}

/// Why a server cannot be called.
async fn down(front: &Front) -> String {
    match front.is(|health| matches!(health, Health::Down { .. })).await {
        Health::Down { reason } => reason,
        health => panic!("{health:?}"),
    }
}

#[tokio::test]
async fn a_server_is_called_over_tls() {
    let authority = Authority::new();
    let shop = authority.shop(None).await;
    let front = Front::start(secure("localhost", &shop, trusting(&authority)));
    front.connected().await;
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_not_called() {
    let (authority, other) = (Authority::new(), Authority::new());
    let shop = authority.shop(None).await;
    let front = Front::start(secure("localhost", &shop, trusting(&other)));
    assert_eq!(down(&front).await, "TLS with the server failed");
    assert_eq!(front.get("/v1/items/7").await.refusal(), (503, 14));
}

#[tokio::test]
async fn a_server_of_another_name_is_not_called_unless_the_name_is_given() {
    let authority = Authority::new();
    let shop = authority.shop(None).await;
    let front = Front::start(secure("127.0.0.1", &shop, trusting(&authority)));
    assert_eq!(down(&front).await, "TLS with the server failed");
    let named = Tls {
        server_name: Some("localhost".to_owned()),
        ..trusting(&authority)
    };
    let front = Front::start(secure("127.0.0.1", &shop, named));
    front.connected().await;
    assert_eq!(front.get("/v1/items/7").await.status, 200);
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_shown_the_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let shop = authority.shop(Some(&clients)).await;
    let known = Tls {
        client: Some(clients.client()),
        ..trusting(&authority)
    };
    let front = Front::start(secure("localhost", &shop, known));
    front.connected().await;
    assert_eq!(front.get("/v1/items/7").await.status, 200);

    let unknown = Authority::new();
    let stranger = Tls {
        client: Some(unknown.client()),
        ..trusting(&authority)
    };
    for tls in [stranger, trusting(&authority)] {
        let front = Front::start(secure("localhost", &shop, tls));
        down(&front).await;
        assert_eq!(front.get("/v1/items/7").await.refusal(), (503, 14));
    }
}

#[tokio::test]
async fn a_server_without_http2_is_not_called() {
    let authority = Authority::new();
    for alpn in [&[][..], &[&b"http/1.1"[..]]] {
        let acceptor = authority.acceptor(None, alpn);
        let shop = Shop::on("127.0.0.1:0".parse().unwrap(), Some(acceptor), 200).await;
        let front = Front::start(secure("localhost", &shop, trusting(&authority)));
        down(&front).await;
    }
}

#[tokio::test]
async fn files_that_are_none_are_refused_at_the_start() {
    let authority = Authority::new();
    let shop = authority.shop(None).await;
    let refused = |tls| Upstream::new(secure("localhost", &shop, tls)).unwrap_err().to_string();
    let ca = |path| Tls {
        ca: Some(path),
        ..Tls::default()
    };
    assert!(refused(ca("/nowhere/ca.pem".into())).contains("/nowhere/ca.pem"));
    assert!(refused(ca(authority.file("empty.pem", ""))).contains("no certificate"));
    let mut client = authority.client();
    client.key = "/nowhere/client.key".into();
    let removed = Tls {
        client: Some(client),
        ..trusting(&authority)
    };
    assert!(refused(removed).contains("private key"));
    let mismatched = ClientIdentity {
        key: authority.file("other.key", &KeyPair::generate().unwrap().serialize_pem()),
        ..authority.client()
    };
    let mismatched = Tls {
        client: Some(mismatched),
        ..trusting(&authority)
    };
    assert!(refused(mismatched).contains("certificates"));
}
