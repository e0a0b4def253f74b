//! "Did you mean": the nearest of some known words, by edit distance. Bounded, since strangers choose the word.

/// Longest word that is compared, in bytes.
const WORD_BYTES_MAX: usize = 64;

/// The candidate nearest to `word`, if near enough to be what was meant; of two that are as near the first.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let tolerance = 1 + word.len() / 4;
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(word, candidate, tolerance)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace; letters' case is free) from one word to the other, if at most `max`.
pub(crate) fn distance(from: &str, to: &str, max: usize) -> Option<usize> {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    if from.len().abs_diff(to.len()) > max || from.len().max(to.len()) > WORD_BYTES_MAX {
        return None;
    }
    // One row of the usual table: `row[i]` is the distance from the letters of `to` seen so far to `from[..i]`.
    let mut row = [0; WORD_BYTES_MAX + 1];
    let row = &mut row[..=from.len()];
    row.iter_mut().enumerate().for_each(|(column, edits)| *edits = column);
    for (line, target) in to.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, source) in from.iter().enumerate() {
            let replaced = diagonal + usize::from(!source.eq_ignore_ascii_case(target));
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().filter(|edits| *edits <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest() {
        let words = ["display_name", "email", "name"];
        for (word, expected) in [
            ("emial", Some("email")),
            ("emal", Some("email")),
            ("Email", Some("email")),
            ("displayname", Some("display_name")),
            ("nam", Some("name")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
        let settings = ["listen", "admin_listen", "reflection"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("listenn", Some("listen")),
            ("admin-listen", Some("admin_listen")),
            ("reflexion", Some("reflection")),
            ("port", None),
        ] {
            assert_eq!(nearest(word, settings), expected, "{word}");
        }
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
        assert_eq!(distance("kitten", "sitting", 2), None);
    }
}
