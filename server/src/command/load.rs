//! `millrace load`: places and cancels orders through the public API, as any client would, so that there is something
//! to watch. It ends after `--for`, by Ctrl-C or by SIGTERM, with a summary.

mod pace;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use millrace_chassis::{Signals, Stop};
use millrace_client::Client;
use millrace_client::catalog::v1::ListProductsRequest;
use millrace_client::catalog::v1::catalog_service_client::CatalogServiceClient;
use millrace_client::ordering::v1::ordering_service_client::OrderingServiceClient;
use millrace_client::ordering::v1::{CancelOrderRequest, CreateOrderRequest, Order, OrderLine};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Environment, Exit, Failure, output, stopping};
use crate::dev::read_environment;
use pace::Rate;
use summary::Summary;

/// Most orders under way; more are not begun, and are counted.
const UNDER_WAY_MAX: usize = 256;
/// How often progress is shown.
const PROGRESS: Duration = Duration::from_secs(5);

/// Flags of `millrace load`.
#[derive(Debug, Clone, Args)]
pub(super) struct Load {
    /// Orders per second, minute or hour, as in `2/s`, `30/m` or `1/h`
    #[arg(long, default_value = "2/s")]
    rate: Rate,
    /// How long, as in `30s`, `5m` or `1h` [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", visible_alias = "duration", value_parser = pace::duration)]
    lasting: Option<Duration>,
    /// Where the platform is; the key is MILLRACE_API_KEY, or that of the data folder [env: MILLRACE_URL=] [default:
    /// that of the data folder]
    #[arg(long)]
    url: Option<String>,
    /// Data folder of a running `millrace dev`, whose `dev.env` holds address and key
    #[arg(long, value_name = "FOLDER", default_value = ".millrace")]
    data_dir: PathBuf,
}

/// Where to call, and with what key.
struct Target {
    url: String,
    key: String,
}

/// Without the key.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Load {
    pub(super) async fn run(self, environment: Environment) -> Result<Exit, Failure> {
        let target = self.target(&environment)?;
        let unreachable = |error: millrace_client::Error| {
            let (message, help) = if error.is_unauthenticated() {
                (
                    "does not know the key",
                    "name the data folder with --data-dir, or set MILLRACE_API_KEY",
                )
            } else {
                (
                    "does not answer",
                    "start one with `millrace dev`, or name another with --url",
                )
            };
            let message = format!("the platform at {} {message}", target.url);
            Failure::new(Exit::Unreachable, message, error).help(help)
        };
        let client = Client::connect(&target.url)
            .api_key(&target.key)
            .user_agent("millrace-load");
        let client = client.await.map_err(unreachable)?;
        let products = products(&client).await.map_err(unreachable)?;
        if products.is_empty() {
            return Err(
                Failure::plain(Exit::CheckFailed, "the catalog is empty: there is nothing to order")
                    .help("start `millrace dev` without --no-sample-data, or create a product"),
            );
        }
        // Watched before it is said: from here on a signal ends in a summary.
        let signals = stopping::watch()?;
        output::note(format_args!("placing {} at {}; Ctrl-C stops", self.rate, target.url));
        let (summary, stopped) = self.drive(&client, &products, signals).await;
        output::line(format_args!("{summary}"))?;
        Ok(match (stopped, summary.failed()) {
            (Some(Stop::Interrupt), _) => Exit::Interrupted,
            // Without `--for` it is SIGTERM by which whoever runs it says that it was long enough.
            (Some(Stop::Terminate) | None, 0) => Exit::Ok,
            (Some(Stop::Terminate) | None, _) => Exit::CheckFailed,
        })
    }

    /// Flags go before the environment, and that before the data folder.
    fn target(&self, environment: &Environment) -> Result<Target, Failure> {
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        let file = read_environment(&self.data_dir)
            .map_err(|error| Failure::new(Exit::Unreachable, "the data folder cannot be read", error))?;
        let url = self.url.clone().or_else(|| variable("MILLRACE_URL"));
        let url = url.or_else(|| file.as_ref().map(|file| file.url.clone()));
        let key = variable("MILLRACE_API_KEY").or_else(|| file.as_ref().map(|file| file.api_key.clone()));
        match (url, key) {
            (Some(url), Some(key)) => Ok(Target { url, key }),
            (url, _) => {
                let missing = if url.is_some() { "key" } else { "address or key" };
                let folder = self.data_dir.display();
                let message = format!("no {missing}: {folder} has no dev.env");
                Err(Failure::plain(Exit::Unreachable, message)
                    .help("start `millrace dev` first, name its --data-dir, or set MILLRACE_URL and MILLRACE_API_KEY"))
            }
        }
    }

    /// Begins orders at the rate until the time is over, then waits for those under way; a signal ends those too.
    async fn drive(&self, client: &Client, products: &Arc<[String]>, mut signals: Signals) -> (Summary, Option<Stop>) {
        let summary = Arc::new(Mutex::new(Summary::default()));
        let slots = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let mut orders = JoinSet::new();
        let mut due = interval(self.rate.period());
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut progress = interval(PROGRESS);
        progress.tick().await;
        let end = self.lasting.map(|lasting| Instant::now() + lasting);
        let mut number = 0_usize;
        let stopped = loop {
            tokio::select! {
                biased;
                stop = signals.next() => break Some(stop),
                () = until(end) => break None,
                _ = progress.tick() => output::note(summary.lock().await),
                Some(_) = orders.join_next() => {}
                _ = due.tick() => {
                    number += 1;
                    match Arc::clone(&slots).try_acquire_owned() {
                        Ok(slot) => {
                            let (client, products) = (client.clone(), Arc::clone(products));
                            let summary = Arc::clone(&summary);
                            orders.spawn(async move {
                                order(&client, &products, number, &summary).await;
                                drop(slot);
                            });
                        }
                        Err(_) => summary.lock().await.skip(),
                    }
                }
            }
        };
        if stopped.is_some() {
            orders.abort_all();
        }
        while orders.join_next().await.is_some() {}
        let summary = summary.lock().await.clone();
        (summary, stopped)
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// The names of the first page of products.
async fn products(client: &Client) -> Result<Arc<[String]>, millrace_client::Error> {
    let request = ListProductsRequest {
        page_size: 200,
        ..Default::default()
    };
    let page = CatalogServiceClient::new(client.channel())
        .list_products(request)
        .await?
        .into_inner();
    Ok(page.products.into_iter().map(|product| product.name).collect())
}

/// Places one order; every second one is cancelled a little later.
async fn order(client: &Client, products: &[String], number: usize, summary: &Mutex<Summary>) {
    let mut ordering = OrderingServiceClient::new(client.channel());
    // One to three lines, a different product each: strides keep runs alike without a random number.
    let line = |line: usize| OrderLine {
        product: products[(number * 7 + line) % products.len()].clone(),
        quantity: 1 + i32::try_from(number % 4).unwrap_or_default(),
        ..Default::default()
    };
    let lines = 1 + number % 3.min(products.len());
    let request = CreateOrderRequest {
        parent: "users/me".to_owned(),
        order: Some(Order {
            lines: (0..lines).map(line).collect(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let began = Instant::now();
    let placed = ordering.create_order(request).await;
    summary
        .lock()
        .await
        .placed(began.elapsed(), placed.as_ref().map(|_| ()));
    let Ok(placed) = placed else { return };
    if number.is_multiple_of(2) {
        sleep(Duration::from_millis(500 + 100 * (number as u64 % 10))).await;
        let began = Instant::now();
        let name = placed.into_inner().name;
        let cancelled = ordering
            .cancel_order(CancelOrderRequest {
                name,
                ..Default::default()
            })
            .await;
        summary
            .lock()
            .await
            .cancelled(began.elapsed(), cancelled.as_ref().map(|_| ()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_targets_key_is_not_printed() {
        let target = Target {
            url: "http://h".to_owned(),
            key: "mr_dev_hush".to_owned(),
        };
        let printed = format!("{target:?}");
        assert!(printed.contains("http://h") && !printed.contains("hush"), "{printed}");
    }
}
