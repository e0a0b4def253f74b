//! The files that `dev` keeps beside the databases: `dev.env` with the keys, and the secret of page tokens. Both are
//! readable by their owner only, and are replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use millrace_chassis::id::Ids;

const ENVIRONMENT: &str = "dev.env";
const PAGE_TOKEN: &str = "page_token.secret";
/// Read and write for the owner, nothing for others.
const MODE: u32 = 0o600;

/// What `dev.env` holds: what a shell or a client needs to call this platform.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    /// `MILLRACE_URL`, as in `http://127.0.0.1:8080`.
    pub url: String,
    /// `MILLRACE_USER`, the shopper, `users/{user}`.
    pub user: String,
    /// `MILLRACE_API_KEY`, the shopper's key.
    pub api_key: String,
    /// `MILLRACE_ADMIN_KEY`, the operator's key.
    pub admin_key: String,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({}, {})", self.url, self.user)
    }
}

impl Environment {
    fn write(&self) -> String {
        format!(
            "# Made by `millrace dev` for the data in this folder. Whoever has it can do all that the keys allow.\n\
             MILLRACE_URL={}\nMILLRACE_USER={}\nMILLRACE_API_KEY={}\nMILLRACE_ADMIN_KEY={}\n",
            self.url, self.user, self.api_key, self.admin_key
        )
    }

    /// Reads the text of a `dev.env`, `None` if a line is missing.
    fn read(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned)
        };
        Some(Self {
            url: value("MILLRACE_URL")?,
            user: value("MILLRACE_USER")?,
            api_key: value("MILLRACE_API_KEY")?,
            admin_key: value("MILLRACE_ADMIN_KEY")?,
        })
    }
}

/// A file in the data folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read or written", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Reads `dev.env`; `None` if there is none, or none that is whole.
///
/// # Errors
/// The file is there but cannot be read.
pub fn read_environment(data_dir: &Path) -> Result<Option<Environment>, FileError> {
    let path = data_dir.join(ENVIRONMENT);
    Ok(read(&path)?.and_then(|text| Environment::read(&text)))
}

/// Writes `dev.env`.
pub(super) fn write_environment(data_dir: &Path, environment: &Environment) -> Result<(), FileError> {
    replace(&data_dir.join(ENVIRONMENT), &environment.write())
}

/// A shorter secret is a file that was cut, and is made anew.
const SECRET_CHARS_MIN: usize = 32;

/// Reads the secret of page tokens, or makes one.
pub(super) fn page_token_secret(data_dir: &Path, ids: &Ids) -> Result<String, FileError> {
    let path = data_dir.join(PAGE_TOKEN);
    if let Some(secret) = read(&path)?.map(|text| text.trim().to_owned())
        && secret.len() >= SECRET_CHARS_MIN
    {
        return Ok(secret);
    }
    let secret = ids.secret_text();
    replace(&path, &secret)?;
    Ok(secret)
}

fn read(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a new file and puts it in the place of the old one, so that no reader sees half of it.
fn replace(path: &Path, text: &str) -> Result<(), FileError> {
    let new = path.with_extension("new");
    let write = || {
        // One that a kill left behind may have another mode.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|source| FileError {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use millrace_chassis::clock::Clock;

    use super::*;

    fn sample() -> Environment {
        Environment {
            url: "http://127.0.0.1:8080".into(),
            user: "users/7".into(),
            api_key: "mr_dev_a".into(),
            admin_key: "mr_dev_b".into(),
        }
    }

    #[test]
    fn the_environment_is_the_owners_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_environment(folder.path()).unwrap(), None);
        write_environment(folder.path(), &sample()).unwrap();
        write_environment(folder.path(), &sample()).unwrap();
        assert_eq!(read_environment(folder.path()).unwrap(), Some(sample()));
        let mode = fs::metadata(folder.path().join(ENVIRONMENT))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn half_an_environment_is_none() {
        let text = sample().write();
        assert_eq!(Environment::read(&text), Some(sample()));
        assert_eq!(Environment::read(&text.replace("MILLRACE_ADMIN_KEY", "X")), None);
        assert_eq!(Environment::read(""), None);
    }

    #[test]
    fn the_secret_stays() {
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::system(Clock::system());
        let secret = page_token_secret(folder.path(), &ids).unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(page_token_secret(folder.path(), &ids).unwrap(), secret);
        fs::write(folder.path().join(PAGE_TOKEN), "cut").unwrap();
        assert_eq!(page_token_secret(folder.path(), &ids).unwrap().len(), 64);
    }
}
