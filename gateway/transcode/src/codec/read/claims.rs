//! What path, query and headers have bound, as a tree beside the message: a body may repeat it, not contradict it, nor
//! set another member of its oneof.

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::message::PATH_BOUND;
use super::{Problem, Result};
use crate::codec::Claim;
use crate::codec::plan::{FieldPlan, MessagePlan};

/// Claims on the fields of one message and below.
#[derive(Debug, Default)]
pub(crate) struct Claims<'c> {
    fields: Vec<Claimed<'c>>,
}

#[derive(Debug)]
struct Claimed<'c> {
    number: u32,
    /// On the field itself or something in it.
    any: &'c Claim,
    whole: Option<&'c Claim>,
    inner: Claims<'c>,
}

impl<'c> Claims<'c> {
    /// `None` if nothing is claimed.
    pub(crate) fn new(claims: &'c [Claim]) -> Option<Self> {
        let mut tree = Self::default();
        for claim in claims {
            let mut at = &mut tree;
            for (depth, field) in claim.path.iter().enumerate() {
                let number = field.number();
                let index = at.fields.iter().position(|claimed| claimed.number == number);
                let index = index.unwrap_or_else(|| {
                    at.fields.push(Claimed {
                        number,
                        any: claim,
                        whole: None,
                        inner: Self::default(),
                    });
                    at.fields.len() - 1
                });
                let claimed = &mut at.fields[index];
                if depth + 1 == claim.path.len() {
                    claimed.whole = Some(claim);
                }
                at = &mut claimed.inner;
            }
        }
        (!tree.fields.is_empty()).then_some(tree)
    }

    fn find(&self, field: &FieldPlan) -> Option<&Claimed<'c>> {
        self.fields.iter().find(|claimed| claimed.number == field.number)
    }

    /// Claims inside a field.
    pub(super) fn inside(&self, field: &FieldPlan) -> Option<&Self> {
        self.find(field)
            .map(|claimed| &claimed.inner)
            .filter(|inner| !inner.fields.is_empty())
    }

    /// Whether the field is claimed, not only something in it.
    pub(super) fn is_whole(&self, field: &FieldPlan) -> bool {
        self.find(field).is_some_and(|claimed| claimed.whole.is_some())
    }

    /// Compares a field that the body has set; `written` is that field on the wire, with its tag. False if the field is
    /// to be dropped.
    pub(super) fn check(
        &self,
        message: &MessagePlan,
        field: &FieldPlan,
        written: &[u8],
        offset: usize,
    ) -> Result<bool> {
        for claimed in &self.fields {
            if claimed.number == field.number {
                match claimed.whole {
                    Some(claim) if claim.wins => return Ok(false),
                    Some(claim) if !says(claim, written) => {
                        let text = format!("contradicts the value that the {} binds", claim.source);
                        return Err(contradiction(offset, text, claim));
                    }
                    _ => continue,
                }
            }
            let other = message.by_number(claimed.number).map(|index| &message.fields[index]);
            if let Some(other) = other.filter(|other| field.oneof.is_some() && other.oneof == field.oneof) {
                if claimed.any.wins {
                    return Ok(false);
                }
                let text = format!("excluded by `{}`, which the {} binds", other.name, claimed.any.source);
                return Err(contradiction(offset, text, claimed.any));
            }
        }
        Ok(true)
    }
}

#[cold]
fn contradiction(offset: usize, text: String, claim: &Claim) -> Box<Problem> {
    let problem = Problem::new(offset, text);
    if claim.source == "path" {
        problem.relaxed_by(PATH_BOUND)
    } else {
        problem
    }
}

/// Whether the claim's value, or what it stands for, is the one on the wire. Only a field that is given twice comes
/// here, so it may be decoded.
fn says(claim: &Claim, written: &[u8]) -> bool {
    let (Some(value), Some(field)) = (&claim.value, claim.path.last()) else {
        return false;
    };
    let Ok(decoded) = DynamicMessage::decode(field.parent_message().clone(), written) else {
        return false;
    };
    let found = decoded.get_field(field);
    equal(&found, value) || claim.stands_for.as_ref().is_some_and(|other| equal(&found, other))
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // What is written alike is equal, also where it is not a number.
        (Value::F64(one), Value::F64(other)) => one == other || one.is_nan() && other.is_nan(),
        (Value::F32(one), Value::F32(other)) => one == other || one.is_nan() && other.is_nan(),
        // A default that was set is not equal to one that was not, until both have been on the wire.
        (Value::Message(one), Value::Message(other)) => {
            let other = DynamicMessage::decode(other.descriptor(), other.encode_to_vec().as_slice());
            other.is_ok_and(|other| *one == other)
        }
        _ => one == other,
    }
}
