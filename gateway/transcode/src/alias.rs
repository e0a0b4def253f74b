//! A name in a path that stands for another one, as `users/me` stands for `users/7`. What is read under the alias has
//! the other name in it, and must be fit to be sent back.

/// A resource name, or the beginning of one, with another that means the same for the caller of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The alias: `users/me`.
    pub name: String,
    /// What it stands for: `users/7`.
    pub stands_for: String,
}

impl Alias {
    /// What the value of a variable stands for, `None` if it does not begin with the alias.
    pub(crate) fn resolve(&self, value: &str) -> Option<String> {
        let rest = value.strip_prefix(&self.name)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", self.stands_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_whole_segments() {
        let alias = Alias {
            name: "users/me".to_owned(),
            stands_for: "users/7".to_owned(),
        };
        for (value, expected) in [
            ("users/me", Some("users/7")),
            ("users/me/orders/9", Some("users/7/orders/9")),
            ("users/meg", None),
            ("users/8", None),
            ("me", None),
        ] {
            assert_eq!(alias.resolve(value).as_deref(), expected, "{value}");
        }
    }
}
