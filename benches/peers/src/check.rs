//! Whether a unit answers a call as it has to, before anything of it is timed.

use std::net::SocketAddr;

use serde_json::Value;

use crate::answers::{Printing, compare};
use crate::child::{runtime, success};
use crate::load::{self, Answer, Door};
use crate::unit::Unit;
use crate::workload::Cell;

/// Calls the unit once.
///
/// # Errors
///
/// What is wrong with the answer.
pub(crate) fn check(unit: &Unit, address: SocketAddr, cell: Cell) -> Result<Printing, String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let answer = runtime.block_on(load::call(address, unit.door, cell, unit.accept(cell)));
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status != success(unit.door) {
        let body: Vec<u8> = answer.parts.concat();
        let body = String::from_utf8_lossy(&body).chars().take(200).collect::<String>();
        return Err(format!("status {}: {body}", answer.status));
    }
    compare(&cell.expected(), &said(unit, cell, &answer)?)
}

fn said(unit: &Unit, cell: Cell, answer: &Answer) -> Result<Value, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("cannot be read: {error}");
    if unit.door == Door::Grpc {
        return cell.decoded(&answer.parts).map_err(|error| unreadable(&error));
    }
    let body = answer.parts.concat();
    match &unit.stream {
        Some(stream) if cell == Cell::Stream => stream.messages(&body),
        _ => serde_json::from_slice(&body),
    }
    .map_err(|error| unreadable(&error))
}
