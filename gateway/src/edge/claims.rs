//! Names of headers by which proxies in front say what a server would take for the truth: where a call came from, what
//! it was before a rewrite, who its caller is, whose certificate they have seen. From anybody else it is made up.

use std::borrow::Cow;

/// Whether a header (its name in lower case, with `-` for `_`) makes such a claim, besides those that every door
/// rewrites.
pub(super) fn is_claim(name: &str) -> bool {
    let claims = match name.as_bytes() {
        [b'x', b'-', letter, ..] => of_x(*letter),
        [letter, ..] => of_letter(*letter),
        [] => &[],
    };
    claims
        .iter()
        .any(|claim| name == *claim || (claim.ends_with('-') && name.starts_with(claim)))
}

/// A name as servers read it that hand headers on as variables: they do not tell `_` from `-`.
pub(crate) fn dashed(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|letter| letter == b'_') {
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
        _ => &[],
    }
}

/// Those that begin with `x-`, by the letter after it. They tell where a call came from (`x-real-ip`), what it was before
/// a proxy rewrote it (`x-original-`, `x-original-forwarded-for` with it: servers behind IIS, nginx and others route by
/// it), who its caller is (`x-auth-request-`), or whose certificate a proxy has seen (`x-ssl-`).
fn of_x(letter: u8) -> &'static [&'static str] {
    match letter {
        b'a' => &[
            "x-amzn-oidc-",
            "x-appengine-",
            "x-auth-request-",
            "x-authenticated-",
            "x-authentik-",
            "x-azure-clientip",
            "x-azure-socketip",
        ],
        b'c' => &[
            "x-client-addr",
            "x-client-address",
            "x-client-cert",
            "x-client-cert-",
            "x-client-dn",
            "x-client-ip",
            "x-client-san",
            "x-client-verified",
            "x-client-verify",
            "x-cluster-client-ip",
        ],
        b'g' => &["x-goog-authenticated-", "x-goog-iap-"],
        b'h' => &["x-host", "x-http-method", "x-http-method-override"],
        b'j' => &["x-jwt-payload"],
        b'm' => &["x-method-override", "x-ms-client-principal", "x-ms-client-principal-"],
        b'n' => &["x-nf-client-connection-ip"],
        b'o' => &["x-original-", "x-originating-"],
        b'p' => &["x-pomerium-", "x-proxyuser-ip"],
        b'r' => &["x-real-ip", "x-remote-", "x-rewrite-url"],
        b's' => &["x-ssl-"],
        b't' => &["x-tls-client-"],
        b'v' => &["x-vercel-"],
        b'w' => &["x-webauth-"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::names::is_of_trusted_hops;

    #[test]
    fn every_claim_is_listed_where_it_is_looked_for() {
        for letter in 0..=u8::MAX {
            for claim in of_letter(letter).iter().chain(of_x(letter)) {
                assert!(is_claim(claim) && is_of_trusted_hops(claim), "{claim}");
                assert!(is_claim(&format!("{claim}x")) == claim.ends_with('-'), "{claim}");
            }
        }
        let of_x: usize = (0..=u8::MAX).map(|letter| of_x(letter).len()).sum();
        assert_eq!(of_x, 38);
    }

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
