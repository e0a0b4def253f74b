//! Values as `millrace config show` prints them: without what is nobody's business.

use serde_json::Value;

/// What stands in the place of a secret.
pub(super) const HIDDEN: &str = "[redacted]";

/// A value as text; the password of a URL is hidden.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", without_password(text)),
        Value::Null => "unset".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(section) => {
            let fields: Vec<_> = section
                .iter()
                .map(|(key, value)| format!("{key} = {}", shown(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// Parameters of a URL that hold no secret.
const OPEN_PARAMETERS: [&str; 7] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "sslmode",
];

/// Hides what stands between the first `:` of the user part and the last `@` of a URL's authority, and the parameters
/// among which a password may be, too.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        // The other form of a PostgreSQL address, `host=h password=p`, and a URL that lacks its beginning.
        let is_address = text.to_ascii_lowercase().contains("password") || text.contains('@');
        return if is_address { HIDDEN.to_owned() } else { text.to_owned() };
    };
    let (address, parameters) = match rest.split_once('?') {
        // A `?` that belongs to a password, not to the URL.
        Some((address, parameters)) if !address.contains('@') && parameters.contains('@') => {
            return format!("{scheme}://{HIDDEN}");
        }
        Some((address, parameters)) => (address, format!("?{}", without_secrets(parameters))),
        None => (rest, String::new()),
    };
    let address = match address.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split_once(':').map_or(credentials, |(user, _)| user);
            let hidden = if user == credentials {
                String::new()
            } else {
                format!(":{HIDDEN}")
            };
            format!("{user}{hidden}@{host}")
        }
        None => address.to_owned(),
    };
    format!("{scheme}://{address}{parameters}")
}

/// The parameters of a URL: where a Unix socket is may be seen, what nobody knows may not.
fn without_secrets(parameters: &str) -> String {
    let shown = parameters.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if OPEN_PARAMETERS.contains(&name) => parameter.to_owned(),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_a_url_may_hold_one() {
        for (url, expected) in [
            ("postgres://u:pw@h/db", "postgres://u:[redacted]@h/db"),
            ("postgres://u:p@w:x@h/db", "postgres://u:[redacted]@h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://h/db?password=pw", "postgres://h/db?password=[redacted]"),
            ("postgres://h/db?pw", "postgres://h/db?[redacted]"),
            ("postgres://u:p?w@h/db", "postgres://[redacted]"),
            (
                "postgres:///db?host=/run/pg&port=7&password=pw",
                "postgres:///db?host=/run/pg&port=7&password=[redacted]",
            ),
            (
                "postgres://u:pw@%2Frun%2Fpg/db",
                "postgres://u:[redacted]@%2Frun%2Fpg/db",
            ),
            ("host=h user=u password=pw", HIDDEN),
            ("u:pw@h/db", HIDDEN),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
        ] {
            assert_eq!(without_password(url), expected);
        }
    }
}
