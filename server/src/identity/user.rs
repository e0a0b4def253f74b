//! Users by their rules: what a valid one is, and what an update changes. Pure.

use millrace_chassis::name;
use millrace_proto::identity::v1::{UpdateUserRequest, User};

use super::email::Email;
use super::store::user::UserRow;
use crate::field::Check;
use crate::mask::{self, Field};
use crate::text::DISPLAY_NAME;
use crate::{etag, timestamp};

/// What a caller decides of a new user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// Shown to people.
    pub(super) display_name: String,
    /// Unique over all users.
    pub(super) email: Email,
}

impl Draft {
    /// Reads a new user, noting what is wrong with it below `user.`.
    pub(super) fn read(user: &User, check: &mut Check) -> Option<Self> {
        let display_name = check.text("user.display_name", &user.display_name, &DISPLAY_NAME);
        let email = read_email(&user.email, check)?;
        Some(Self { display_name, email })
    }
}

fn read_email(typed: &str, check: &mut Check) -> Option<Email> {
    Email::parse(typed)
        .map_err(|problem| check.fail("user.email", problem))
        .ok()
}

/// The values that an update gives to a user; `None` keeps the present one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The new name.
    pub(super) display_name: Option<String>,
    /// The new address.
    pub(super) email: Option<Email>,
}

impl Change {
    /// Reads an update, noting what is wrong with it.
    pub(super) fn read(request: &UpdateUserRequest, check: &mut Check) -> Self {
        let user = request.user.clone().unwrap_or_default();
        let fields = [
            ("display_name", !user.display_name.is_empty()),
            ("email", !user.email.is_empty()),
        ];
        let fields = fields.map(|(path, set)| Field { path, set });
        let mut change = Self::default();
        for path in mask::paths(request.update_mask.as_ref(), &fields, check) {
            if path == "email" {
                change.email = read_email(&user.email, check);
            } else {
                let text = check.text("user.display_name", &user.display_name, &DISPLAY_NAME);
                change.display_name = Some(text);
            }
        }
        change
    }

    /// Tells whether a row is as the change would make it.
    pub(super) fn is_met_by(&self, row: &UserRow) -> bool {
        let has_name = self.display_name.as_ref().is_none_or(|new| *new == row.display_name);
        let has_email = |new: &Email| new.shown == row.email && new.normal == row.email_norm;
        has_name && self.email.as_ref().is_none_or(has_email)
    }

    /// Applies the change to a row, which makes it another version.
    pub(super) fn apply(&self, row: &mut UserRow, now_us: i64) {
        row.version += 1;
        if let Some(display_name) = &self.display_name {
            row.display_name.clone_from(display_name);
        }
        if let Some(email) = &self.email {
            row.email.clone_from(&email.shown);
            row.email_norm.clone_from(&email.normal);
        }
        row.updated_at = now_us;
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let name = name::of_user(row.user_id);
        Self {
            etag: etag::of(&name, row.version),
            name,
            display_name: row.display_name,
            email: row.email,
            create_time: Some(timestamp::of(row.created_at)),
            update_time: Some(timestamp::of(row.updated_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;

    fn user(display_name: &str, email: &str) -> User {
        User {
            display_name: display_name.into(),
            email: email.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_new_user_names_every_field_at_fault() {
        for (display_name, email, expected) in [
            ("Ada", "ada@example.com", &[][..]),
            ("", "", &["user.display_name", "user.email"]),
            ("Ada", "ada", &["user.email"]),
        ] {
            let mut check = Check::default();
            Draft::read(&user(display_name, email), &mut check);
            let found = check.done().err().unwrap_or_default();
            let found: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!(found, expected, "{display_name} {email}");
        }
    }

    #[test]
    fn an_update_changes_what_the_mask_names() {
        // Expected: which of name and e-mail change; `None` is a violation.
        for (display_name, email, paths, expected) in [
            ("Ada", "", &[][..], Some((true, false))),
            ("", "ada@example.com", &[], Some((false, true))),
            ("Ada", "ada@example.com", &["email"], Some((false, true))),
            ("Ada", "ada@example.com", &["*"], Some((true, true))),
            ("Ada", "", &["*"], None),
            ("", "", &[], None),
            ("Ada", "", &["event_seq"], None),
        ] {
            let request = UpdateUserRequest {
                user: Some(user(display_name, email)),
                update_mask: Some(FieldMask {
                    paths: paths.iter().map(ToString::to_string).collect(),
                }),
            };
            let mut check = Check::default();
            let change = Change::read(&request, &mut check);
            let found = check
                .done()
                .ok()
                .map(|()| (change.display_name.is_some(), change.email.is_some()));
            assert_eq!(found, expected, "{display_name:?} {email:?} {paths:?}");
        }
    }
}
