//! Path templates as OpenAPI writes them.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, FieldDescriptor};

use crate::options;
use crate::percent;
use crate::rule::Route;
use crate::template::Segment;

/// A template as OpenAPI writes it.
pub(super) struct Path {
    pub(super) text: String,
    pub(super) parameters: Vec<Parameter>,
}

/// One wildcard of it.
pub(super) struct Parameter {
    pub(super) name: String,
    /// The field that it fills, alone or with others.
    pub(super) field: Option<FieldDescriptor>,
    /// Whether other parts of the path fill the same field.
    pub(super) is_part: bool,
}

/// The words for one resource of a collection, from the patterns of `google.api.resource`: `users` → `user`.
pub(super) struct Resources(BTreeMap<String, String>);

impl Resources {
    pub(super) fn of(pool: &DescriptorPool) -> Self {
        let mut words = BTreeMap::new();
        for message in pool.all_messages() {
            let declared = message.options();
            let resource = options::get(&declared, "google.api.resource");
            let Some(resource) = resource.and_then(|resource| resource.as_message()) else {
                continue;
            };
            let patterns = resource.get_field_by_name("pattern");
            let patterns = patterns
                .as_ref()
                .and_then(|patterns| patterns.as_list())
                .unwrap_or_default();
            for pattern in patterns.iter().filter_map(|pattern| pattern.as_str()) {
                let segments: Vec<_> = pattern.split('/').collect();
                for pair in segments.windows(2) {
                    let variable = pair[1]
                        .strip_prefix('{')
                        .and_then(|variable| variable.strip_suffix('}'));
                    if let Some(variable) = variable {
                        words.insert(pair[0].to_owned(), variable.to_owned());
                    }
                }
            }
        }
        Self(words)
    }

    /// The word for one of a collection; without a pattern, its English singular.
    fn word(&self, collection: &str) -> String {
        self.0.get(collection).cloned().unwrap_or_else(|| singular(collection))
    }
}

/// One parameter for each wildcard, named after the field, or after the collection before it.
pub(super) fn path_of(route: &Route, resources: &Resources) -> Path {
    let template = &route.template;
    let mut path = Path {
        text: String::new(),
        parameters: Vec::new(),
    };
    let mut taken = BTreeSet::new();
    for (at, segment) in template.segments.iter().enumerate() {
        path.text.push('/');
        if let Segment::Literal(text) = segment {
            path.text.push_str(&percent::encode_path(text));
            continue;
        }
        let found = template.captures.iter().zip(&route.captures);
        let found = found
            .into_iter()
            .find(|(capture, _)| (capture.start..capture.end).contains(&at));
        let (capture, fields) = found.unzip();
        let field = capture.map_or("path".to_owned(), |capture| capture.field_path.join("."));
        let before = at.checked_sub(1).and_then(|before| template.segments.get(before));
        let name = match (capture, before) {
            (Some(capture), Some(Segment::Literal(collection))) if at > capture.start => resources.word(collection),
            _ => field.clone(),
        };
        let numbered = (2..).map(|number| format!("{name}{number}"));
        let name = std::iter::once(name.clone())
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or(name);
        taken.insert(name.clone());
        path.text.push_str(&format!("{{{name}}}"));
        path.parameters.push(Parameter {
            name,
            field: fields.and_then(|fields| fields.last()).cloned(),
            is_part: capture.is_some_and(|capture| capture.multi),
        });
    }
    if let Some(verb) = &template.verb {
        path.text.push(':');
        path.text.push_str(verb);
    }
    path
}

/// The singular of a collection's name, for a parameter: `users`, `apiKeys`, `categories`.
fn singular(collection: &str) -> String {
    match (collection.strip_suffix("ies"), collection.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => collection.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{load, rule};

    #[test]
    fn paths_have_one_parameter_per_wildcard() {
        for (template, expected) in [
            ("/v1/{id}", "/v1/{id}"),
            ("/v1/{sub.id}", "/v1/{sub.id}"),
            ("/v1/{name=users/*/apiKeys/*}", "/v1/users/{user}/apiKeys/{apiKey}"),
            ("/v1/{name=categories/*}:go", "/v1/categories/{category}:go"),
            ("/v1/{name=users/*/users/*}", "/v1/users/{user}/users/{user2}"),
            ("/v1/{name=*/x/*}", "/v1/{name}/x/{x}"),
            ("/v1/{name=namedShelves/*}", "/v1/namedShelves/{shelf}"),
            ("/files/{name=**}", "/files/{name}"),
            ("/{name=**}", "/{name}"),
            ("/a/*/{id}", "/a/{path}/{id}"),
        ] {
            let schema = load(vec![
                rule("Routes.R0", &format!("GET {template}"), ""),
                rule("Library.GetNamedShelf", "GET /x", ""),
            ])
            .unwrap();
            let path = path_of(
                schema.routes().find(|route| route.path() == template).unwrap(),
                &Resources::of(schema.pool()),
            );
            assert_eq!(path.text, expected, "{template}");
        }
    }
}
