//! Names of headers by which proxies in front say what a server would take for the truth: where a call came from, what
//! it was before a rewrite, who its caller is, whose certificate they have seen. From anybody else it is made up.

use std::borrow::Cow;

/// Whether a header (its name in lower case, with `-` for `_`) makes such a claim, besides those that every door
/// rewrites.
pub(super) fn is_claim(name: &str) -> bool {
    let claims = name.bytes().next().map_or(&[][..], of_letter);
    claims
        .iter()
        .any(|claim| name == *claim || (claim.ends_with('-') && name.starts_with(claim)))
}

/// A name as servers read it that hand headers on as variables: they do not tell `_` from `-`.
pub(crate) fn dashed(name: &str) -> Cow<'_, str> {
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    }
}

/// The names by their first letter, since most headers of a call are none of them; one that ends with `-` stands for all
/// that begin with it.
fn of_letter(letter: u8) -> &'static [&'static str] {
    match letter {
        b'a' => &["ali-cdn-real-ip"],
        // Certificates are in RFC 9440.
        b'c' => &[
            "cdn-",
            "cf-",
            "client-cert",
            "client-cert-chain",
            "client-ip",
            "cloudfront-",
        ],
        b'd' => &["do-connecting-ip"],
        b'f' => &["fastly-", "fly-"],
        b'i' => &["incap-client-ip"],
        b'r' => &[
            "remote-addr",
            "remote-email",
            "remote-groups",
            "remote-name",
            "remote-user",
        ],
        b's' => &["ssl-client-"],
        b't' => &["tailscale-user-"],
        b'w' => &["wl-proxy-"],
        b'x' => &OF_X,
        _ => &[],
    }
}

const OF_X: [&str; 38] = [
    // Where a call came from.
    "x-appengine-",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-address",
    "x-client-addr",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-nf-client-connection-ip",
    "x-originating-",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-",
    "x-vercel-",
    // What a request was before a proxy rewrote it, `x-original-forwarded-for` with it: servers behind IIS, nginx and
    // others route by it.
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-",
    "x-rewrite-url",
    // Who a caller is.
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authenticated-",
    "x-authentik-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-jwt-payload",
    "x-ms-client-principal",
    "x-ms-client-principal-",
    "x-pomerium-",
    "x-webauth-",
    // Whose certificate.
    "x-client-cert",
    "x-client-cert-",
    "x-client-dn",
    "x-client-san",
    "x-client-verify",
    "x-client-verified",
    "x-ssl-",
    "x-tls-client-",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_told_from_what_callers_say() {
        for name in [
            "cf-connecting-ip",
            "fastly-client-ip",
            "x-cluster-client-ip",
            "x-original-url",
            "x-original-forwarded-for",
            "x-auth-request-user",
            "ssl-client-cert",
            "remote-user",
        ] {
            assert!(is_claim(name), "{name}");
        }
        for name in [
            "",
            "authorization",
            "content-type",
            "x-client-version",
            "x-cluster",
            "x-hostname",
            "cfo",
            "remote",
            "x-goog-request-params",
        ] {
            assert!(!is_claim(name), "{name}");
        }
        assert_eq!((dashed("x_real_ip"), dashed("x-a")), ("x-real-ip".into(), "x-a".into()));
    }
}
