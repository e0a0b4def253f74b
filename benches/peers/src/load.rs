//! The load generator, a process of its own: a bounded number of connections, kept alive, each with the next call as
//! soon as the last one is answered. A closed loop shows cost; its latencies flatter, and are shown for orientation.
//! [`open`] has those at a fixed rate.

pub(crate) mod grpc;
mod open;
pub(crate) mod rest;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::latency::Latency;
use crate::workload::Cell;

/// Longest wait for the answer to one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// Over what a unit is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Door {
    /// HTTP/1.1 and JSON.
    Rest,
    /// gRPC over HTTP/2 in clear.
    Grpc,
}

/// What is sent, and for how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArgs {
    /// The unit.
    #[arg(long)]
    pub(crate) target: SocketAddr,
    /// What it speaks.
    #[arg(long)]
    pub(crate) door: Door,
    /// The call.
    #[arg(long)]
    pub(crate) cell: Cell,
    /// Accept header of REST calls.
    #[arg(long, default_value = "application/json")]
    pub(crate) accept: String,
    /// Connections that are kept.
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: usize,
    /// Calls at once on each HTTP/2 connection.
    #[arg(long, default_value_t = 4)]
    pub(crate) streams: usize,
    /// How long new calls begin.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Calls a second, due whether those before are answered or not; REST only. As soon as answered without.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Calls that were answered in full with a success.
    pub(crate) calls: u64,
    /// Answers with another status than 2xx, or another `grpc-status` than 0.
    pub(crate) failed: u64,
    /// Calls that a broken connection or a broken answer ended.
    pub(crate) broken: u64,
    /// What the first of both was.
    pub(crate) first_failure: Option<String>,
    /// Bytes of the answers' bodies.
    pub(crate) bytes: u64,
    /// From the first call to the last answer.
    pub(crate) seconds: f64,
    /// Microseconds in which half of the calls were answered; from when each was due, at a fixed rate.
    pub(crate) p50_us: f64,
    /// The same for 99 of 100.
    pub(crate) p99_us: f64,
    /// At a fixed rate: how late the generator itself was with 99 of 100 calls.
    #[serde(default)]
    pub(crate) late_p99_us: f64,
}

/// What one connection, or stream slot, counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    pub(crate) latency: Latency,
}

impl Tally {
    pub(crate) fn answered(&mut self, since: Instant, bytes: u64) {
        self.counts.calls += 1;
        self.counts.bytes += bytes;
        self.latency.add(since.elapsed());
    }

    pub(crate) fn failed(&mut self, what: impl FnOnce() -> String) {
        self.counts.failed += 1;
        self.counts.first_failure.get_or_insert_with(what);
    }

    pub(crate) fn broken(&mut self, what: impl FnOnce() -> String) {
        self.counts.broken += 1;
        self.counts.first_failure.get_or_insert_with(what);
    }

    fn join(&mut self, other: Self) {
        self.counts.calls += other.counts.calls;
        self.counts.failed += other.counts.failed;
        self.counts.broken += other.counts.broken;
        self.counts.bytes += other.counts.bytes;
        if self.counts.first_failure.is_none() {
            self.counts.first_failure = other.counts.first_failure;
        }
        self.latency.join(&other.latency);
    }
}

/// One answer, whole: for checks before anything is timed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status over REST, `grpc-status` over gRPC.
    pub(crate) status: u16,
    /// The body over REST; the messages over gRPC.
    pub(crate) parts: Vec<Bytes>,
}

/// Failures of a generator, or of a check.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot connect to {0}")]
    Connect(SocketAddr, #[source] std::io::Error),
    #[error("the connection broke")]
    Io(#[from] std::io::Error),
    #[error("the connection broke")]
    H2(#[from] h2::Error),
    #[error("the answer is not HTTP/1.1: {0}")]
    Malformed(&'static str),
    #[error("the connection was closed inside an answer")]
    Closed,
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// Opens all connections, and calls until the time is over.
///
/// # Errors
///
/// The unit cannot be reached.
pub(crate) async fn run(args: &LoadArgs) -> Result<Counts, LoadError> {
    if let Some(rate) = args.rate {
        return open::run(args, rate).await;
    }
    let mut rest = Vec::new();
    let mut grpc = Vec::new();
    for _ in 0..args.connections {
        match args.door {
            Door::Rest => rest.push(rest::Connection::open(args.target).await?),
            Door::Grpc => grpc.push(grpc::open(args.target).await?),
        }
    }
    let request = rest::request(args.target, args.cell, &args.accept);
    let prepared = grpc::prepared(args.target, args.cell);
    // Only from here on: what was made ready is no part of any call.
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(args.seconds);
    let mut tasks = JoinSet::new();
    for connection in rest {
        tasks.spawn(rest::repeat(connection, request.clone(), until));
    }
    for send in grpc {
        tasks.spawn(grpc::repeat(send, prepared.clone(), args.streams, until));
    }
    let mut total = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        match tally {
            Ok(tally) => total.join(tally?),
            Err(panic) => total.broken(|| panic.to_string()),
        }
    }
    total.counts.seconds = begin.elapsed().as_secs_f64();
    total.counts.p50_us = total.latency.quantile_us(0.5);
    total.counts.p99_us = total.latency.quantile_us(0.99);
    Ok(total.counts)
}

/// Makes one call, and reads all of its answer.
pub(crate) async fn call(target: SocketAddr, door: Door, cell: Cell, accept: &str) -> Result<Answer, LoadError> {
    let answer = async {
        match door {
            Door::Rest => rest::call(target, cell, accept).await,
            Door::Grpc => grpc::call(target, cell).await,
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answer).await;
    answered.map_err(|_| LoadError::Late(PATIENCE))?
}
