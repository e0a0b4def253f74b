//! Lists of names that have a form: each reader says what is wrong with the first that has another, after its place in
//! the list, and what to write. A name that would never do anything is no less wrong than one that is malformed.

use http::HeaderName;

use crate::edge::check_origin;
use crate::metadata::why_never_passed;

/// Checks every name of a list.
///
/// # Errors
/// The first that is wrong: `[2] "x y" is no header name`.
fn each(names: Vec<String>, check: impl Fn(&str) -> Result<(), String>) -> Result<Vec<String>, String> {
    for (index, name) in names.iter().enumerate() {
        check(name).map_err(|problem| format!("[{index}] {name:?} {problem}"))?;
    }
    Ok(names)
}

/// Request headers that become metadata.
pub(super) fn request_headers(names: Vec<String>) -> Result<Vec<String>, String> {
    each(names, header)
}

/// Trailers of an answer.
pub(super) fn response_trailers(names: Vec<String>) -> Result<Vec<HeaderName>, String> {
    let names = each(names, header)?;
    // What does not parse was refused.
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn header(name: &str) -> Result<(), String> {
    match why_never_passed(name) {
        Some(why) => Err(format!("{why}: take it out, or write the name alone, as in x-tenant")),
        None => Ok(()),
    }
}

/// Full names of services.
pub(super) fn services(names: Vec<String>) -> Result<Vec<String>, String> {
    each(names, |name| match is_full_name(name) {
        true => Ok(()),
        false => Err("is no full name of a service: write it as in shop.v1.Shop".to_owned()),
    })
}

/// The selector of RPCs.
pub(super) fn selector(text: &str) -> Result<(), String> {
    let is_good = match text.strip_suffix('*') {
        Some("") => true,
        Some(package) => package.strip_suffix('.').is_some_and(is_full_name),
        None => is_full_name(text),
    };
    match is_good {
        true => Ok(()),
        false => Err(format!(
            "{text:?} selects no RPC: write package.Service.Method, package.Service.*, package.* or *"
        )),
    }
}

fn is_full_name(text: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.split('.').all(is_identifier)
}

/// Names of query parameters, of which the last letter may be a `*`.
pub(super) fn parameters(names: Vec<String>) -> Result<Vec<String>, String> {
    each(names, |name| match name.strip_suffix('*').unwrap_or(name) {
        _ if name.is_empty() => Err("is no name of a parameter".to_owned()),
        rest if rest.contains('*') => {
            Err("has a * that is not at its end: only there it stands for any rest".to_owned())
        }
        _ => Ok(()),
    })
}

/// Origins of pages, or the word for all of this machine's.
pub(super) fn origins(names: Vec<String>, loopback: &str) -> Result<Vec<String>, String> {
    each(names, |name| match name == loopback {
        true => Ok(()),
        false => check_origin(name),
    })
}

/// Names of this machine.
pub(super) fn hosts(names: Vec<String>) -> Result<Vec<String>, String> {
    each(names, |name| {
        let is_name = |name: &str| {
            name.parse::<http::uri::Authority>()
                .is_ok_and(|parsed| parsed.host() == name)
        };
        match is_name(name) {
            true => Ok(()),
            false => Err("is no host name: write it without scheme, path and port, as in metrics.internal".to_owned()),
        }
    })
}

/// Base URLs of an API.
pub(super) fn servers(names: Vec<String>) -> Result<Vec<String>, String> {
    each(names, |name| {
        let is_url = ["/", "http://", "https://"].iter().any(|start| name.starts_with(start));
        match is_url && !name.contains(char::is_whitespace) {
            true => Ok(()),
            false => Err("is no base URL: write it as in https://shop.example/api, or /api".to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of one name.
    type Read = fn(Vec<String>) -> Result<Vec<String>, String>;

    #[test]
    fn what_would_never_do_anything_is_refused() {
        let table: [(Read, &[&str], &[&str]); 6] = [
            (
                request_headers,
                &["x-tenant", "X-Tenant", "Authorization", "x-request-id", "x-sum-bin"],
                &[
                    "",
                    "x tenant",
                    "x-tenant:",
                    "grpc-timeout",
                    "Connection",
                    "content-type",
                ],
            ),
            (
                services,
                &["shop.v1.Shop", "Shop", "_a.B_2"],
                &[
                    "",
                    "shop.v1.",
                    "shop.v1.Shop/Get",
                    "shop.v1.*",
                    "/shop.v1.Shop",
                    "shop v1",
                    "1.Shop",
                ],
            ),
            (parameters, &["utm_*", "_", "*", "a.b"], &["", "a*b", "**"]),
            (
                |names| origins(names, "loopback"),
                &["loopback", "https://shop.example", "http://localhost:3000"],
                &[
                    "*",
                    "shop.example",
                    "https://shop.example/",
                    "https://Shop.example",
                    "https://shop.example:443",
                ],
            ),
            (
                hosts,
                &["metrics.internal", "10.0.0.7", "[::1]"],
                &["", "metrics.internal:9464", "http://metrics.internal", "a b", "a/b"],
            ),
            (
                servers,
                &["https://shop.example", "/api", "/"],
                &["", "shop.example", "ftp://shop.example", "https://shop example"],
            ),
        ];
        for (read, good, bad) in table {
            for name in good {
                assert_eq!(read(vec![(*name).to_owned()]), Ok(vec![(*name).to_owned()]));
            }
            for name in bad {
                let problem = read(vec![(*name).to_owned()]).unwrap_err();
                assert!(problem.starts_with(&format!("[0] {name:?} ")), "{name:?}: {problem}");
            }
        }
    }

    #[test]
    fn a_selector_has_a_form() {
        for good in ["*", "shop.*", "shop.v1.Shop.*", "shop.v1.Shop.GetItem"] {
            assert_eq!(selector(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".*",
            "shop.v1.Shop/GetItem",
            "shop.*.Get",
            "shop.v1.Shop.Get*",
            "shop..Shop",
            "shop.",
        ] {
            assert!(selector(bad).is_err(), "{bad}");
        }
    }
}
