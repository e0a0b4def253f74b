//! `Debug` of the messages that carry a secret (`debug_redact` in the proto): a log line or a failed assertion must not
//! hand it on. The generator leaves their `Debug` out.

use std::fmt;

use crate::identity::v1::CreateApiKeyResponse;

impl fmt::Debug for CreateApiKeyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, api_key, secret } = self;
        let secret = if secret.is_empty() { "" } else { "[redacted]" };
        f.debug_struct("CreateApiKeyResponse")
            .field("name", name)
            .field("api_key", api_key)
            .field("secret", &secret)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_keys_secret_is_not_printed() {
        let mut response = CreateApiKeyResponse {
            name: "users/7/apiKeys/9".to_owned(),
            secret: "mr_dev_hush".to_owned(),
            ..Default::default()
        };
        let printed = format!("{response:?} {response:#?}");
        assert!(
            printed.contains("users/7/apiKeys/9") && printed.contains("[redacted]"),
            "{printed}"
        );
        assert!(!printed.contains("hush"), "{printed}");
        response.secret.clear();
        assert!(!format!("{response:?}").contains("[redacted]"));
    }
}
