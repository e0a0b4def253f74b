//! What the end-to-end tests share: the platform under test, the doors into it, and the real tools around it.

pub mod door;
pub mod parts;
pub mod platform;
pub mod rest;
pub mod schema;
pub mod shop;
pub mod wire;
