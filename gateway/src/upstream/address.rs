//! The URL of a server, taken apart. Pure.

use http::Uri;
use http::uri::Authority;

use crate::upstream::settings::UpstreamError;

/// Where a server is, and how it is called there.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// `scheme://host:port`, for people.
    pub(super) name: String,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    authority: Authority,
}

impl Address {
    /// Takes `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    pub(super) fn parse(url: &str) -> Result<Self, UpstreamError> {
        let refuse = |problem| UpstreamError::Url {
            // A credential must not come back in an error.
            url: without_credentials(url),
            problem,
        };
        let uri: Uri = url.parse().map_err(|_| refuse("is no URL"))?;
        let (scheme, is_tls) = match uri.scheme_str() {
            Some("http") => ("http", false),
            Some("https") => ("https", true),
            _ => return Err(refuse("must begin with http:// (without TLS) or https://")),
        };
        let authority = uri.authority().ok_or_else(|| refuse("names no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(refuse("holds credentials: use a client certificate, or send metadata"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("must end after the port: the path of a gRPC call is its method"));
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(refuse("names no host"));
        }
        // `Authority` passes over a port that is too large.
        let after = &authority.as_str()[authority.host().len()..];
        let port = match after.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0),
            None if after.is_empty() => Some(if is_tls { 443 } else { 80 }),
            None => None,
        };
        Ok(Self {
            name: format!("{scheme}://{authority}"),
            host: host.to_owned(),
            port: port.ok_or_else(|| refuse("has a port that is none"))?,
            is_tls,
            authority,
        })
    }

    /// `:authority` of a call, if the server is called by this name, or else as the URL does.
    pub(super) fn called(&self, name: Option<&str>) -> Result<Authority, UpstreamError> {
        match name {
            Some(name) => name.parse().map_err(|_| UpstreamError::ServerName(name.to_owned())),
            None => Ok(self.authority.clone()),
        }
    }
}

/// The URL with what stands before the last `@` of its authority left out.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let shown = match rest[..end].rfind('@') {
        Some(at) => &rest[at + 1..],
        // A password may hold a slash that was not escaped.
        None => rest.rsplit_once('@').map_or(rest, |(_, host)| host),
    };
    match scheme {
        "" => shown.to_owned(),
        scheme => format!("{scheme}://{shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_and_a_port() {
        let table = [
            (
                "http://localhost:50051",
                "localhost",
                50051,
                false,
                "http://localhost:50051",
            ),
            (
                "http://localhost:50051/",
                "localhost",
                50051,
                false,
                "http://localhost:50051",
            ),
            (
                "https://shop.example",
                "shop.example",
                443,
                true,
                "https://shop.example",
            ),
            ("http://10.0.0.7", "10.0.0.7", 80, false, "http://10.0.0.7"),
            ("http://[::1]:8080", "::1", 8080, false, "http://[::1]:8080"),
        ];
        for (url, host, port, is_tls, name) in table {
            let address = Address::parse(url).unwrap();
            assert_eq!(
                (
                    address.host.as_str(),
                    address.port,
                    address.is_tls,
                    address.name.as_str()
                ),
                (host, port, is_tls, name)
            );
        }
    }

    #[test]
    fn anything_else_is_refused_and_no_credential_is_repeated() {
        let table = [
            "",
            "localhost:50051",
            "shop.example",
            "/path",
            "ftp://shop.example",
            "http://",
            "http://:80",
            "http://shop.example:0",
            "http://shop.example:",
            "http://shop.example:99999",
            "http://shop.example/v1",
            "http://shop.example/?x=1",
            "http://user:secret@shop.example:1",
            "https://secret@shop.example",
            "http://user:se/secret@shop.example",
            "user:secret@shop.example",
        ];
        for url in table {
            let error = Address::parse(url).map(|address| address.name).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_call_may_have_another_name() {
        let address = Address::parse("https://10.0.0.7:8443").unwrap();
        assert_eq!(address.called(None).unwrap(), "10.0.0.7:8443");
        assert_eq!(address.called(Some("shop.example")).unwrap(), "shop.example");
        assert!(address.called(Some("no name")).is_err());
    }
}
