//! Who calls: finds the credential in the metadata and asks the module that owns the keys. It decides no right.

use std::sync::Arc;

use http::HeaderMap;
use millrace_gateway::transcode::Alias;
use tonic::Status;

use super::refusal::Refusal;
use crate::caller::{Authenticator, Caller};
use crate::shard::StoreError;
use crate::status::status;

/// The header that takes an API key besides `Authorization: Bearer`.
pub(crate) const KEY_HEADER: &str = "x-api-key";

/// Longer texts are no credential of ours; the module that owns the keys is not bothered with them.
const CREDENTIAL_BYTES_MAX: usize = 512;

/// The layer. Without an authenticator every credential is refused.
#[derive(Clone)]
pub(crate) struct Authentication(pub(crate) Option<Arc<dyn Authenticator>>);

impl Authentication {
    /// Returns the caller; a credential that is malformed, unknown or revoked is refused even where none is needed, or
    /// a caller would not learn that its key is wrong.
    pub(crate) async fn identify(&self, headers: &HeaderMap) -> Result<Caller, Status> {
        let Some(credential) = credential(headers)? else {
            return Ok(Caller::Anonymous);
        };
        match self.look_up(credential).await {
            Ok(Known::As(caller)) => Ok(caller),
            Ok(Known::Not) => Err(Refusal::BadCredential("is malformed, unknown or revoked").into()),
            Err(error) => Err(status(&error)),
        }
    }

    /// Asks who a credential stands for at this moment.
    pub(crate) async fn look_up(&self, credential: &str) -> Result<Known, StoreError> {
        let Some(authenticator) = &self.0 else {
            return Ok(Known::Not);
        };
        let found = authenticator.authenticate(credential).await?;
        Ok(found.map_or(Known::Not, Known::As))
    }
}

/// Who a credential stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    As(Caller),
    /// It is malformed, unknown or revoked.
    Not,
}

/// Returns the credential of a call whose caller was identified by it.
pub(crate) fn credential_of(headers: &HeaderMap) -> Option<String> {
    credential(headers).ok().flatten().map(str::to_owned)
}

/// What `users/me` stands for in the path of a request, if its credential is that of whom it says. The policy layer puts
/// the proven caller in the place of `users/me`; this only tells which body repeats the path.
pub(crate) fn me(authenticator: &dyn Authenticator, headers: &HeaderMap) -> Option<Alias> {
    let user = authenticator.claimed_user(credential(headers).ok()??)?;
    Some(Alias {
        name: "users/me".to_owned(),
        stands_for: format!("users/{user}"),
    })
}

/// Finds the one credential, in `authorization: Bearer` or `x-api-key`.
fn credential(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut found = None;
    for name in ["authorization", KEY_HEADER] {
        for value in headers.get_all(name) {
            let text = value
                .to_str()
                .map_err(|_| Refusal::BadCredential("is not ASCII text"))?;
            let credential = if name == "authorization" {
                bearer(text)?
            } else {
                text.trim()
            };
            if credential.is_empty() || credential.len() > CREDENTIAL_BYTES_MAX {
                return Err(Refusal::BadCredential("is malformed, unknown or revoked"));
            }
            // Two that differ: which one counts would depend on who reads them.
            if found.is_some_and(|other| other != credential) {
                return Err(Refusal::BadCredential("was sent twice with different values"));
            }
            found = Some(credential);
        }
    }
    Ok(found)
}

fn bearer(text: &str) -> Result<&str, Refusal> {
    match text.trim().split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => Ok(credential.trim()),
        _ => Err(Refusal::BadCredential("must be sent as `authorization: Bearer mr_...`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_credential_is_found_and_two_are_refused() {
        let long = "x".repeat(CREDENTIAL_BYTES_MAX + 1);
        type Case<'c> = (&'c [(&'c str, &'c str)], Option<Option<&'c str>>);
        let cases: &[Case<'_>] = &[
            (&[], Some(None)),
            (&[("authorization", "Bearer mr_1")], Some(Some("mr_1"))),
            (&[("authorization", "bearer  mr_1 ")], Some(Some("mr_1"))),
            (&[("x-api-key", "mr_1")], Some(Some("mr_1"))),
            (
                &[("authorization", "Bearer mr_1"), ("x-api-key", "mr_1")],
                Some(Some("mr_1")),
            ),
            (&[("authorization", "Bearer mr_1"), ("x-api-key", "mr_2")], None),
            (
                &[("authorization", "Bearer mr_1"), ("authorization", "Bearer mr_2")],
                None,
            ),
            (&[("x-api-key", "mr_1"), ("x-api-key", "mr_2")], None),
            (&[("authorization", "Basic bXI6MQ==")], None),
            (&[("authorization", "mr_1")], None),
            (&[("authorization", "Bearer ")], None),
            (&[("authorization", "")], None),
            (&[("x-api-key", "")], None),
            (&[("x-api-key", &long)], None),
        ];
        for (sent, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *sent {
                headers.append(
                    http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value.parse().unwrap(),
                );
            }
            assert_eq!(credential(&headers).ok(), *expected, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn without_an_authenticator_every_credential_is_refused() {
        let layer = Authentication(None);
        assert_eq!(layer.identify(&HeaderMap::new()).await.unwrap(), Caller::Anonymous);
        let sent = HeaderMap::from_iter([(http::header::AUTHORIZATION, "Bearer mr_1".parse().unwrap())]);
        assert_eq!(
            layer.identify(&sent).await.unwrap_err().code(),
            tonic::Code::Unauthenticated
        );
    }
}
