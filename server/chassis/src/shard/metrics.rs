//! Figures of the pools, for Prometheus.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::shard::pool::{Figures, Pool};
use crate::shard::{DatabaseName, Shards};

impl Shards {
    /// Returns the collector of the pools' figures, to be registered once.
    pub fn pool_metrics(&self) -> Box<dyn Collector> {
        Box::new(PoolMetrics(self.clone()))
    }
}

/// Reads the pools when it is scraped; nothing is counted twice and no call pays for it.
#[derive(Debug)]
struct PoolMetrics(Shards);

impl PoolMetrics {
    fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.0.names().flat_map(|name| {
            let database = self.0.database(name);
            [&database.writer, &database.reader]
        })
    }

    /// Writes one metric, a value per pool.
    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        metric_of: impl Fn(&Figures) -> M,
    ) -> std::fmt::Result {
        let mut pools = self.pools().peekable();
        let Some(first) = pools.peek() else { return Ok(()) };
        let mut family = encoder.encode_descriptor(name, help, None, metric_of(&first.figures()).metric_type())?;
        for pool in pools {
            let database = match pool.name() {
                DatabaseName::Global => "global".to_owned(),
                DatabaseName::Shard(shard) => format!("shard-{shard}"),
            };
            let labels = [("database", database.as_str()), ("role", pool.role().as_str())];
            metric_of(&pool.figures()).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for PoolMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let encoder = &mut encoder;
        self.family(encoder, ("store_pool_used_connections", "Connections in use"), |f| {
            ConstGauge::new(f.used)
        })?;
        self.family(
            encoder,
            ("store_pool_idle_connections", "Connections that wait for a call"),
            |f| ConstGauge::new(f.idle),
        )?;
        self.family(
            encoder,
            ("store_pool_waiting_calls", "Calls that wait for a connection"),
            |f| ConstGauge::new(f.waiting),
        )?;
        self.family(
            encoder,
            ("store_pool_waits", "Calls that had to wait for a connection"),
            |f| ConstCounter::new(f.waits),
        )?;
        self.family(
            encoder,
            ("store_pool_timeouts", "Calls that waited for a connection in vain"),
            |f| ConstCounter::new(f.timeouts),
        )?;
        self.family(
            encoder,
            ("store_pool_wait_seconds", "Time that calls waited for a connection"),
            |f| ConstCounter::new(f.waited.as_secs_f64()),
        )
    }
}
