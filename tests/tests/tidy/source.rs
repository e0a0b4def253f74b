//! The repository's files as text.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path below the root, and its text.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// The text above the file's unit tests, without comments.
    pub(super) fn code(&self) -> String {
        let shipped = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        shipped
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    pub(super) fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("{folder}/"))
    }
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file with this extension that we wrote, in the order of paths.
pub(super) fn sources(extension: &str) -> Vec<Source> {
    fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_file() {
                visit(&path);
            } else if !name.starts_with('.') && !["target", "node_modules", "dist"].contains(&name.as_str()) {
                walk(&path, visit);
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root, &mut |path| {
        if path.extension().is_some_and(|of_file| of_file == extension) {
            let text = fs::read_to_string(path).unwrap();
            let path = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Panics with every complaint, so that one run shows all that is to be repaired.
pub(super) fn report(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}
