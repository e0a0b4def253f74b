//! The end-to-end tests, as one program: one link instead of one per file. Each module is named by what a user does,
//! or by the promise that it keeps.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod bad_input;
mod broken_place;
mod commands;
mod config;
mod console;
mod crash;
mod dev;
mod doors_agree;
mod drain;
mod first_minutes;
mod foreign;
mod health;
mod loopback;
mod new_service;
mod policy;
mod postgres;
mod reflection;
mod rest_lists;
mod rest_orders;
mod rest_resume;
mod runner;
mod sharding;
mod soak;
mod tidy;
mod written_service;
