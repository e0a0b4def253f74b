//! How others reach the refresher: an admin's call, and what `/readiness` says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::report::{Outcome, Report, Standing};
use crate::admin::Action;
use crate::probes;

/// The admin call.
const RELOAD_PATH: &str = "/schema/reload";

/// Asks a [`Refresher`](super::Refresher) for a refresh, and tells how the last one went; cheap to clone.
#[derive(Clone)]
pub struct Reloads {
    asks: mpsc::Sender<oneshot::Sender<Report>>,
    standing: Arc<Mutex<Standing>>,
}

impl Reloads {
    pub(super) fn new(asks: mpsc::Sender<oneshot::Sender<Report>>, standing: Arc<Mutex<Standing>>) -> Self {
        Self { asks, standing }
    }

    /// Refreshes all sources and waits for what comes of it.
    pub async fn reload(&self) -> Report {
        let stopped = || Report::failed("the gateway is about to stop".to_owned());
        let (answer, answered) = oneshot::channel();
        match self.asks.send(answer).await {
            Ok(()) => answered.await.unwrap_or_else(|_| stopped()),
            Err(_) => stopped(),
        }
    }

    /// Names of the sources that have said nothing yet.
    pub fn missing(&self) -> Vec<String> {
        self.standing().missing.clone()
    }

    /// Whether no source has said anything yet, so that there is nothing to serve.
    pub fn is_empty(&self) -> bool {
        self.standing().is_empty
    }

    /// What `/readiness` adds: the member `schema`.
    pub fn details(&self) -> Map<String, Value> {
        self.standing().details()
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `POST /schema/reload` for the admin listener: 200 if the schema is up to date, 409 if it would break callers,
    /// 503 if it cannot be had.
    pub fn action(&self) -> Action {
        let reloads = self.clone();
        Action::new(RELOAD_PATH, move || {
            let reloads = reloads.clone();
            async move {
                let report = reloads.reload().await;
                let status = match report.outcome {
                    Outcome::Unchanged | Outcome::Applied => http::StatusCode::OK,
                    Outcome::Refused => http::StatusCode::CONFLICT,
                    Outcome::Failed => http::StatusCode::SERVICE_UNAVAILABLE,
                };
                probes::json(status, format!("{}\n", report.to_json()))
            }
        })
    }
}
