//! `millrace load`: places and cancels orders through the public API, as any client would, so that there is something
//! to watch. It ends after `--for`, or by Ctrl-C, with a summary.

mod summary;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use millrace_client::Client;
use millrace_client::catalog::v1::ListProductsRequest;
use millrace_client::catalog::v1::catalog_service_client::CatalogServiceClient;
use millrace_client::ordering::v1::ordering_service_client::OrderingServiceClient;
use millrace_client::ordering::v1::{CancelOrderRequest, CreateOrderRequest, Order, OrderLine};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Environment, Exit, Failure, output};
use crate::dev::read_environment;
use summary::Summary;

/// Most orders under way; more are not begun, and are counted.
const UNDER_WAY_MAX: usize = 256;
/// How often progress is shown.
const PROGRESS: Duration = Duration::from_secs(5);

/// Flags of `millrace load`.
#[derive(Debug, Clone, Args)]
pub(super) struct Load {
    /// Orders per second or minute, as in `2/s` or `30/m`
    #[arg(long, default_value = "2/s")]
    rate: Rate,
    /// How long, as in `30s` or `5m` [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasting: Option<Duration>,
    /// Where the platform is [default: MILLRACE_URL, or that of the data folder]
    #[arg(long)]
    url: Option<String>,
    /// Data folder of a running `millrace dev`, whose `dev.env` holds address and key
    #[arg(long, value_name = "FOLDER", default_value = ".millrace")]
    data_dir: PathBuf,
}

/// A number of orders per time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    per_second: f64,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a number per second or minute, as in `2/s` or `30/m`, at most 10000/s".to_owned();
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let per_second = match unit {
            "s" => number,
            "m" => number / 60.0,
            _ => return Err(wrong()),
        };
        if per_second > 0.0 && per_second <= 10_000.0 {
            Ok(Self { per_second })
        } else {
            Err(wrong())
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give seconds, minutes or hours, as in `30s`, `5m` or `1h`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let number: u64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// Where to call, and with what key.
#[derive(Debug)]
struct Target {
    url: String,
    key: String,
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
        eprintln!(
            "placing {} orders a second at {}; Ctrl-C stops",
            self.rate.per_second, target.url
        );
        let (summary, interrupted) = self.drive(&client, &products).await;
        output::line(format_args!("{summary}"))?;
        Ok(match (interrupted, summary.failed()) {
            (true, _) => Exit::Interrupted,
            (false, 0) => Exit::Ok,
            (false, _) => Exit::CheckFailed,
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
            _ => {
                let folder = self.data_dir.display();
                Err(
                    Failure::plain(Exit::Unreachable, format!("no address or key: {folder} has no dev.env")).help(
                        "start `millrace dev` first, name its --data-dir, or set MILLRACE_URL and MILLRACE_API_KEY",
                    ),
                )
            }
        }
    }

    /// Begins orders at the rate until the time is over or the user stops it, then waits for those under way.
    async fn drive(&self, client: &Client, products: &Arc<[String]>) -> (Summary, bool) {
        let summary = Arc::new(Mutex::new(Summary::default()));
        let slots = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let mut orders = JoinSet::new();
        let mut due = interval(Duration::from_secs_f64(1.0 / self.rate.per_second));
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut progress = interval(PROGRESS);
        progress.tick().await;
        let end = self.lasting.map(|lasting| Instant::now() + lasting);
        let mut number = 0_usize;
        let interrupted = loop {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => break true,
                () = until(end) => break false,
                _ = progress.tick() => eprintln!("{}", summary.lock().await),
                Some(_) = orders.join_next() => {}
                _ = due.tick() => {
                    number += 1;
                    match Arc::clone(&slots).try_acquire_owned() {
                        Ok(slot) => {
                            let (client, products, summary) = (client.clone(), Arc::clone(products), Arc::clone(&summary));
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
        if interrupted {
            orders.abort_all();
        }
        while orders.join_next().await.is_some() {}
        let summary = summary.lock().await.clone();
        (summary, interrupted)
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
    fn rates_and_times_have_units() {
        for (text, expected) in [
            ("2/s", Some(2.0)),
            ("30/m", Some(0.5)),
            ("0.5/s", Some(0.5)),
            ("0/s", None),
            ("-1/s", None),
            ("NaN/s", None),
            ("2", None),
            ("2/h", None),
            ("10001/s", None),
        ] {
            assert_eq!(
                text.parse::<Rate>().ok().map(|rate| rate.per_second),
                expected,
                "{text}"
            );
        }
        for (text, expected) in [
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("0s", None),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_secs), "{text}");
        }
    }
}
