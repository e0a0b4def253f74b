//! Field masks of updates (AIP-134): which of the fields that may be changed are to be changed.

use prost_types::FieldMask;

use crate::field::Check;

/// Fields that every resource may carry in an update without changing them: a caller may send back all it has read.
const IGNORED: [&str; 4] = ["name", "etag", "create_time", "update_time"];

/// A field that an update may change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its path in proto names.
    pub(crate) path: &'static str,
    /// Whether the request gives it a value other than the default.
    pub(crate) set: bool,
}

/// Returns the paths to change: those of the mask, all for `*`, or without a mask those that are set.
/// A path that no field has, and a mask that changes nothing, are violations of `update_mask`.
pub(crate) fn paths(mask: Option<&FieldMask>, fields: &[Field], check: &mut Check) -> Vec<&'static str> {
    let asked = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let mut chosen: Vec<&'static str> = Vec::new();
    if asked.is_empty() {
        chosen.extend(fields.iter().filter(|field| field.set).map(|field| field.path));
    }
    for path in asked {
        if path == "*" {
            // A path below another one, as in `price.minor_units`, is covered by its parent.
            chosen.extend(fields.iter().map(|field| field.path).filter(|path| !path.contains('.')));
        } else if let Some(field) = fields.iter().find(|field| field.path == path) {
            chosen.push(field.path);
        } else if !IGNORED.contains(&path.as_str()) {
            let known: Vec<_> = fields.iter().map(|field| field.path).collect();
            check.fail(
                "update_mask",
                format!("has no field {path:?}: use {} or *", known.join(", ")),
            );
            return Vec::new();
        }
    }
    if chosen.is_empty() {
        let known: Vec<_> = fields.iter().map(|field| field.path).collect();
        check.fail(
            "update_mask",
            format!("changes nothing: name one of {}", known.join(", ")),
        );
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_chooses_fields() {
        let fields =
            [("title", true), ("price", false), ("price.amount", false)].map(|(path, set)| Field { path, set });
        /// The mask, and the paths it chooses or the violation it is.
        type Case = (
            Option<&'static [&'static str]>,
            Result<&'static [&'static str], &'static str>,
        );
        let cases: [Case; 8] = [
            (None, Ok(&["title"])),
            (Some(&[]), Ok(&["title"])),
            (Some(&["price"]), Ok(&["price"])),
            (Some(&["price.amount", "name"]), Ok(&["price.amount"])),
            (Some(&["*"]), Ok(&["title", "price"])),
            (
                Some(&["colour"]),
                Err("has no field \"colour\": use title, price, price.amount or *"),
            ),
            (
                Some(&["title", "Title"]),
                Err("has no field \"Title\": use title, price, price.amount or *"),
            ),
            (
                Some(&["etag"]),
                Err("changes nothing: name one of title, price, price.amount"),
            ),
        ];
        for (asked, expected) in cases {
            let mask = asked.map(|paths| FieldMask {
                paths: paths.iter().map(ToString::to_string).collect(),
            });
            let mut check = Check::default();
            let chosen = paths(mask.as_ref(), &fields, &mut check);
            match expected {
                Ok(paths) => {
                    assert_eq!(chosen, paths, "{asked:?}");
                    check.done().unwrap();
                }
                Err(description) => assert_eq!(check.done().unwrap_err()[0].description, description, "{asked:?}"),
            }
        }
    }
}
