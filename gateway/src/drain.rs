//! The signal that the platform ends, as everything that must end with it waits for it.

use tokio::sync::watch;

/// Waits until the drain begins. A sender that is gone means the same.
pub async fn begun(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}
