//! The data folder of a platform under test, and the keys in it.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

/// The data folder of a platform, shared with the next start on the same data.
#[derive(Clone)]
pub struct Folder(Arc<TempDir>);

impl Folder {
    /// A fresh folder.
    ///
    /// # Panics
    /// The machine gives none.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("millrace-").tempdir();
        Self(Arc::new(folder.expect("the machine has room for a temporary folder")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The text of `dev.env`, `None` before `dev` has written it.
    pub(super) fn dev_env(&self) -> Option<String> {
        std::fs::read_to_string(self.path().join("dev.env")).ok()
    }

    /// The keys that `dev` made for this folder.
    ///
    /// # Panics
    /// It has not made them.
    pub fn dev_keys(&self) -> Keys {
        let text = self.dev_env().expect("`dev` has started in this folder");
        let value = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value
                .unwrap_or_else(|| panic!("dev.env has no {name}:\n{text}"))
                .to_owned()
        };
        Keys {
            shopper: value("MILLRACE_API_KEY"),
            operator: value("MILLRACE_ADMIN_KEY"),
        }
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// The two keys of a `dev` data folder.
#[derive(Debug, Clone)]
pub struct Keys {
    /// A user's key.
    pub shopper: String,
    /// An operator's key.
    pub operator: String,
}
