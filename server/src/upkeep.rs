//! Work that no service owns: answers kept for retries are deleted when their time is over.

use std::time::Duration;

use millrace_chassis::module::{Worker, periodic};
use millrace_chassis::{Module, Platform, idempotency};

/// How often old answers are looked for.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Returns the upkeep as a module; it has no service.
pub fn module(platform: &Platform) -> Module {
    Module::new("upkeep", millrace_proto::FILE_DESCRIPTOR_SET).worker("answers", sweeper(platform.clone()))
}

fn sweeper(platform: Platform) -> Worker {
    let ids = platform.ids.clone();
    periodic(&ids, INTERVAL, move |draining| {
        let platform = platform.clone();
        async move {
            let go_on = || !*draining.borrow();
            let swept = idempotency::sweep(&platform.shards, platform.clock.now_us(), go_on).await;
            if swept.rows > 0 {
                tracing::info!(rows = swept.rows, "old answers were deleted");
            }
        }
    })
}
