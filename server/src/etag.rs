//! Etags (AIP-154): a resource's version, bound to the resource, so that the etag of one is never good for another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of an etag before base64: the version, then the checksum of the resource name.
const BYTES: usize = 12;

/// Makes the etag of a version of the resource `name`.
pub(crate) fn of(name: &str, version: i64) -> String {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&version.to_be_bytes());
    bytes[8..].copy_from_slice(&crc32fast::hash(name.as_bytes()).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Tells whether `etag` allows a change of a version of the resource `name`: an empty one allows any.
pub(crate) fn allows(etag: &str, name: &str, version: i64) -> bool {
    etag.is_empty() || etag == of(name, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_good_for_its_own_version_and_resource_only() {
        let etag = of("products/tea", 7);
        for (etag, name, version, expected) in [
            ("", "products/tea", 7, true),
            (etag.as_str(), "products/tea", 7, true),
            (etag.as_str(), "products/tea", 8, false),
            (etag.as_str(), "products/pot", 7, false),
            ("nonsense", "products/tea", 7, false),
            ("*", "products/tea", 7, false),
        ] {
            assert_eq!(allows(etag, name, version), expected, "{etag} for {name} at {version}");
        }
    }
}
