//! May this caller make this call: the one place that decides rights, for every door, by the full name of the RPC and
//! the user whom the request names. It comes before validation, so a refusal tells nothing about what exists.

use std::sync::Arc;

use http::{Extensions, Request};
use tonic::Status;
use tonic::body::Body;

use super::arrival;
use super::frame::last_string;
use super::refusal::Refusal;
use super::rules::{Access, Data, Rule, UserField};
use crate::caller::Caller;
use crate::name;
use crate::shard::UserId;
use crate::status::Violation;

/// Notes where a user's data is: puts the `UserScope` into a request's extensions.
pub(crate) type Place = Arc<dyn Fn(UserId, &mut Extensions) + Send + Sync>;

/// The layer.
pub(crate) struct Policy {
    pub(crate) place: Place,
    pub(crate) message_bytes: usize,
}

/// What a request says in the field that names its user.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// `users/me`, and what follows it.
    Me(String),
    /// `users/-`.
    All,
    /// `users/{user}`.
    User(UserId),
    /// `users/x` with an `x` that is no user's number, so no user of that name can exist.
    Nobody(String),
}

impl Policy {
    /// Lets a call pass or refuses it. On the way it puts the [`Caller`] and the user's scope into the extensions, and
    /// the caller's own id in the place of `users/me`.
    pub(crate) async fn admit(
        &self,
        rule: &Rule,
        caller: Caller,
        mut request: Request<Body>,
    ) -> Result<Request<Body>, Status> {
        request.extensions_mut().insert(caller);
        match (rule.access(), caller) {
            (Access::Owner | Access::Admin, Caller::Anonymous) => return Err(Refusal::NoCredential.into()),
            (Access::Admin, caller) if !caller.is_admin() => return Err(Refusal::OperatorsOnly.into()),
            _ => {}
        }
        let Data::User(field) = rule.data() else {
            return Ok(request);
        };
        let (mut parts, body) = request.into_parts();
        let first = arrival::first_message(body, self.message_bytes).await?;
        let is_too_long = is_too_long(field, first.message())?;
        let (user, body) = match named(field, first.message())? {
            Named::All if !caller.is_admin() => return Err(only_operators(caller).into()),
            // No one user: the handler reads by an explicit scatter.
            Named::All if field.scatters => (None, first.into_body()),
            Named::All => return Err(Refusal::NotTheCaller("-".to_owned()).into()),
            Named::Me(rest) => {
                let user = caller.user().ok_or(Refusal::NoCredential)?;
                (
                    Some(user),
                    first.into_body_with(&field.path, &format!("{}{rest}", name::of_user(user.get()))),
                )
            }
            Named::User(user) => {
                if rule.access() == Access::Owner && caller.user() != Some(user) && !caller.is_admin() {
                    return Err(Refusal::NotTheCaller(user.to_string()).into());
                }
                (Some(user), first.into_body())
            }
            Named::Nobody(text) => return Err(Refusal::NotTheCaller(text).into()),
        };
        // After the rights: a name that is wrong tells a stranger nothing.
        if is_too_long {
            return Err(form(field).into());
        }
        if let Some(user) = user {
            (self.place)(user, &mut parts.extensions);
        }
        Ok(Request::from_parts(parts, body))
    }
}

/// `users/-` is ADMIN before anything else: no credential and too small a credential are told apart as there.
fn only_operators(caller: Caller) -> Refusal {
    if caller == Caller::Anonymous {
        Refusal::NoCredential
    } else {
        Refusal::OperatorsOnly
    }
}

/// Cuts `users/7/orders/9` into `7` and `/orders/9`.
fn parts(name: &str) -> Option<(&str, &str)> {
    let after = name.strip_prefix("users/")?;
    Some(after.split_at(after.find('/').unwrap_or(after.len())))
}

/// Whether more follows the user than the pattern `users/*` has. Of a longer pattern the handler reads the name whole.
fn is_too_long(field: &UserField, message: &[u8]) -> Result<bool, Refusal> {
    let text = last_string(message, &field.path)?.unwrap_or_default();
    Ok(&*field.pattern == "users/*" && parts(text).is_some_and(|(_, rest)| !rest.is_empty()))
}

fn form(field: &UserField) -> Refusal {
    let description = format!("must have the form `{}`", field.pattern);
    Refusal::NoUser(Violation::new(&*field.name, description))
}

fn named(field: &UserField, message: &[u8]) -> Result<Named, Refusal> {
    let text = last_string(message, &field.path)?.unwrap_or_default();
    let (id, rest) = parts(text).ok_or_else(|| form(field))?;
    match id {
        "" => Err(form(field)),
        "me" => Ok(Named::Me(rest.to_owned())),
        "-" => Ok(Named::All),
        id => Ok(id.parse().map_or_else(|()| Named::Nobody(id.to_owned()), Named::User)),
    }
}
