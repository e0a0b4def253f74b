//! URLs of PostgreSQL servers: read, and shown without what is secret in them.

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// The port of PostgreSQL where a URL names none.
const PORT: u16 = 5432;

/// It is not tried in clear instead.
const NO_TLS: &str = "asks for TLS, which Millrace does not speak to PostgreSQL yet; on a private network write \
                      `sslmode=disable`, elsewhere put a TLS tunnel in front of the server";

/// Reads a URL. What the parser says is not handed on: it may quote the password.
///
/// # Errors
/// What is wrong, and what would be right.
pub(crate) fn read(url: &str) -> Result<Config, &'static str> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("must begin with `postgres://`, as in postgres://user:password@host:5432/database");
    }
    if wants_tls(url) {
        return Err(NO_TLS);
    }
    let config: Config = url.parse().map_err(|_| {
        "is not a PostgreSQL URL; write postgres://user:password@host:port/database, with special characters of the \
         password percent-encoded"
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("names no host; write postgres://user@host/database, or ?host=/folder for a Unix socket");
    }
    if config.get_ssl_mode() == SslMode::Require {
        return Err(NO_TLS);
    }
    Ok(config)
}

/// Tells whether a URL asks for a connection in TLS: by `sslmode`, or by naming a certificate. Only `disable`, `allow`
/// and `prefer` are content without. The parser knows few of these and refuses the others as unknown.
fn wants_tls(url: &str) -> bool {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(key, value)| match key {
            "sslmode" => !matches!(value, "disable" | "allow" | "prefer"),
            "sslrootcert" | "sslcert" | "sslkey" | "sslnegotiation" | "channel_binding" => {
                !matches!(value, "" | "disable" | "prefer" | "postgres")
            }
            _ => false,
        })
}

/// Where a database is, whoever asks: `host:port/database`, or `unix:` and the path of the socket.
pub(crate) fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
    let hosts: Vec<String> = if config.get_hosts().is_empty() {
        let addresses = config.get_hostaddrs().iter().enumerate();
        addresses
            .map(|(index, address)| format!("{address}:{}", port(index)))
            .collect()
    } else {
        let hosts = config.get_hosts().iter().enumerate();
        hosts
            .map(|(index, host)| match host {
                Host::Tcp(host) => format!("{}:{}", host.to_ascii_lowercase(), port(index)),
                Host::Unix(folder) => format!("unix:{}/.s.PGSQL.{}", folder.display(), port(index)),
            })
            .collect()
    };
    format!("{}/{}", hosts.join(","), config.get_dbname().unwrap_or(user(config)))
}

/// The user as whom a connection is made.
pub(crate) fn user(config: &Config) -> &str {
    config.get_user().unwrap_or("postgres")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_shown_as_they_are() {
        for (url, expected) in [
            ("postgres://u:pw@h/db", "h:5432/db"),
            ("postgresql://u@H:1/db", "h:1/db"),
            ("postgres://u@h", "h:5432/u"),
            ("postgres://h1:1,h2:2/db", "h1:1,h2:2/db"),
            ("postgres://u@%2Frun%2Fpg/db", "unix:/run/pg/.s.PGSQL.5432/db"),
            ("postgres:///db?host=/run/pg&port=7", "unix:/run/pg/.s.PGSQL.7/db"),
        ] {
            assert_eq!(place(&read(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn urls_that_cannot_work_are_refused() {
        for (url, expected) in [
            ("", "must begin"),
            ("host=h user=u", "must begin"),
            ("mysql://h/db", "must begin"),
            ("postgres://u@h:hush/db", "is not a PostgreSQL URL"),
            ("postgres:///db", "names no host"),
            ("postgres://h/db?sslmode=require", "TLS"),
            ("postgres://h/db?sslmode=verify-full", "TLS"),
            ("postgres://h/db?sslrootcert=/etc/ca.pem", "TLS"),
        ] {
            let problem = read(url).err().unwrap_or_default();
            assert!(problem.contains(expected), "{url}: {problem}");
        }
    }
}
