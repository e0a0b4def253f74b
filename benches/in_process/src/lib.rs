//! A service with its gateway in one process, a plain server to compare it with, and callers of both: what the counts of
//! instructions (`src/bin`) and of allocations (`tests`) are taken of.

pub mod caller;
pub mod server;

mod orders;
