//! Measures each call once: rate, errors and duration from one histogram, by RPC, code and door.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

use crate::call::{CallRecord, OTHER_METHOD, code_name};
use crate::door::Door;

/// Upper bounds in seconds: from a cached read to a stream that lasts a minute.
const BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0,
];

/// The histogram `rpc_server_call_duration_seconds`; cheap to clone.
///
/// Labels are bounded: `rpc_method` is a name of the schema or [`OTHER_METHOD`], never text of a caller's.
#[derive(Debug, Clone)]
pub struct Metrics {
    durations: Family<CallLabels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// Registers the metrics of the edge.
    pub fn new(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let durations = Family::new_with_constructor(histogram);
        registry.register_with_unit(
            "rpc_server_call_duration",
            "Duration of calls until the end of their answer, by RPC, gRPC code and door",
            Unit::Seconds,
            durations.clone(),
        );
        Self { durations }
    }

    /// Observes a call that took so long.
    pub(super) fn observe(&self, record: &CallRecord, took: Duration) {
        let labels = CallLabels {
            rpc_method: record.rpc_method_owned(),
            code: record.code(),
            door: record.door(),
        };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CallLabels {
    rpc_method: Option<Arc<str>>,
    code: Code,
    door: Door,
}

impl Hash for CallLabels {
    // In two pieces, for each costs a call of the hasher: the name, and one number for the rest.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.rpc_method.as_deref().unwrap_or_default().as_bytes());
        state.write_u16(u16::from(self.code as u8) << 8 | u16::from(self.door as u8));
    }
}

impl EncodeLabelSet for CallLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        let rpc_method = self.rpc_method.as_deref().unwrap_or(OTHER_METHOD);
        ("rpc_method", rpc_method).encode(encoder.encode_label())?;
        ("rpc_status_code", code_name(self.code)).encode(encoder.encode_label())?;
        ("door", self.door.name()).encode(encoder.encode_label())
    }
}
