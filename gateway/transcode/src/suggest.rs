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

/// The same of names with dots, as `shop.v1.Shop`: each of their parts must be near, for a package that is long would
/// make anything in it near. Of two that are as near the first by the alphabet.
pub fn nearest_name<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let edits = |candidate: &str| -> Option<usize> {
        if candidate.split('.').count() != name.split('.').count() {
            return None;
        }
        let parts = name.split('.').zip(candidate.split('.'));
        parts
            .map(|(part, known)| distance(part, known, 1 + part.len() / 4))
            .sum()
    };
    let near = candidates
        .into_iter()
        .filter_map(|candidate| Some((edits(candidate)?, candidate)));
    near.min().map(|(_, candidate)| candidate)
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
        let names = [
            "shop.v1.Shop.Sell",
            "shop.v1.Shop.Get",
            "shop.v1.Depot.Get",
            "shop.v1.Shop",
        ];
        for (name, expected) in [
            ("shop.v1.Shop.Git", Some("shop.v1.Shop.Get")),
            ("shop.v2.Shop.Get", Some("shop.v1.Shop.Get")),
            ("shop.v1.Shop.Return", None),
            ("shop.v1.Shob", Some("shop.v1.Shop")),
            ("v1.Shop.Get", None),
        ] {
            assert_eq!(nearest_name(name, names), expected, "{name}");
        }
        assert_eq!(distance("kitten", "sitting", 3), Some(3));
        assert_eq!(distance("kitten", "sitting", 2), None);
    }
}
