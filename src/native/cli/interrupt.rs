//! SIGTERM and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ready on SIGTERM or Ctrl-C.
pub(super) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Without it, the program ends as programs do.
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}

/// Has SIGTERM and Ctrl-C end the work after the blocks that are under way.
pub(super) fn listen(stop: Arc<AtomicBool>, then: impl FnOnce() + Send + 'static) {
    let wait = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(interrupted());
        stop.store(true, Ordering::Relaxed);
        then();
    };
    // Without it, the program ends as programs do.
    let _ = std::thread::Builder::new().name("signals".into()).spawn(wait);
}
