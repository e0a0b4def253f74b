//! Comments of the proto files, as descriptions.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// Leading comments by file and place. Empty where descriptors came without source info.
pub(crate) struct Comments(HashMap<String, HashMap<Vec<i32>, String>>);

impl Comments {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let files = pool.files().map(|file| {
            let info = file.file_descriptor_proto().source_code_info.as_ref();
            let locations = info.map(|info| info.location.as_slice()).unwrap_or_default();
            let commented = locations.iter().filter_map(|location| {
                let text = location
                    .leading_comments
                    .as_deref()
                    .or(location.trailing_comments.as_deref())?;
                Some((location.path.clone(), tidy(text))).filter(|(_, text)| !text.is_empty())
            });
            (file.name().to_owned(), commented.collect())
        });
        Self(files.collect())
    }

    /// The comment at a place of a file.
    pub(crate) fn get(&self, file: &FileDescriptor, path: &[i32]) -> Option<&str> {
        self.0.get(file.name())?.get(path).map(String::as_str)
    }
}

/// Without the one space that follows each `//`.
fn tidy(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The first sentence, without its full stop.
pub(crate) fn summary(comment: &str) -> String {
    let paragraph = comment.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = paragraph
        .split_once(". ")
        .map_or(paragraph.as_str(), |(first, _)| first);
    sentence.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidies_and_summarises() {
        for (text, expected, first) in [
            (" One line.\n", "One line.", "One line"),
            (" Two\n lines. And more.\n", "Two\nlines. And more.", "Two lines"),
            (" Head.\n\n   code\n", "Head.\n\n  code", "Head"),
            ("", "", ""),
        ] {
            let tidied = tidy(text);
            assert_eq!((tidied.as_str(), summary(&tidied).as_str()), (expected, first));
        }
    }
}
