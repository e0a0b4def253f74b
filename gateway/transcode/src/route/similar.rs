//! The route that was meant by a path that none has, for a 404 to name.

use super::Router;
use crate::suggest;

/// Bounds of the search for a route that was meant: literals on each side of where a text would stand among them, and
/// nodes that are visited. What a 404 costs does not depend on the number of routes.
const NEIGHBOURS: usize = 16;
const VISITS_MAX: usize = 64;

/// Edits by which a segment of a path may differ from what was meant.
pub(crate) const SEGMENT_EDITS_MAX: usize = 2;

impl Router {
    /// Routes that may have been meant by a path: of as many segments, or with a `**` that takes what is left. A
    /// misspelled literal is looked for among those that stand near it.
    pub(crate) fn similar(&self, segments: &[&str]) -> Vec<usize> {
        let (mut found, mut visits) = (Vec::new(), VISITS_MAX);
        self.similar_below(0, segments, &mut visits, &mut found);
        found
    }

    fn similar_below(&self, node: usize, segments: &[&str], visits: &mut usize, found: &mut Vec<usize>) {
        let Some(left) = visits.checked_sub(1) else {
            return;
        };
        *visits = left;
        let here = &self.nodes[node];
        for many in here.many.iter().take(NEIGHBOURS) {
            let Some(left) = segments.len().checked_sub(many.suffix.len()) else {
                continue;
            };
            let mut pairs = segments[left..].iter().zip(&many.suffix).enumerate();
            let is_near = pairs.all(|(at, (raw, literal))| {
                let is_last = at + 1 == many.suffix.len();
                let text = if is_last { without_verb(raw) } else { raw };
                suggest::distance(text, literal, SEGMENT_EDITS_MAX).is_some()
            });
            if is_near {
                let routes = many.ends.iter().flat_map(|end| &end.routes);
                found.extend(routes.map(|(_, route)| *route));
            }
        }
        let Some((raw, rest)) = segments.split_first() else {
            found.extend(
                here.ends
                    .iter()
                    .flat_map(|end| end.routes.iter().map(|(_, route)| *route)),
            );
            return;
        };
        let text = if rest.is_empty() { without_verb(raw) } else { raw };
        let near = match here.position(text) {
            Ok(at) => at..at + 1,
            Err(at) => at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS).min(here.literals.len()),
        };
        for literal in &here.literals[near] {
            if suggest::distance(text, &literal.text, SEGMENT_EDITS_MAX).is_some() {
                self.similar_below(literal.child, rest, visits, found);
            }
        }
        if let Some(child) = here.one {
            self.similar_below(child, rest, visits, found);
        }
    }
}

/// The last segment of a path without what may be its verb.
fn without_verb(raw: &str) -> &str {
    raw.rsplit_once(':').map_or(raw, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    #[test]
    fn a_similar_route_is_found_among_many() {
        let mut router = Router::new(false);
        for at in 0..3_000 {
            let template = Template::parse(&format!("/v1/users/{{user}}/shelf{at:04}s")).unwrap();
            router.insert("GET", &template, at).unwrap();
        }
        for at in [0, 1_234, 2_999] {
            let found = router.similar(&["v1", "user", "7", &format!("shelf{at:04}")]);
            assert!(found.contains(&at) && found.len() <= VISITS_MAX, "{found:?}");
        }
    }
}
