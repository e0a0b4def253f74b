//! The signals that ask a process to end, watched from the first moment on: one that comes during a start, or while the
//! first is being obeyed, is not lost.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a process was asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: by whoever runs it.
    Terminate,
    /// SIGINT: by Ctrl-C.
    Interrupt,
}

/// SIGTERM and SIGINT. As long as a process lives, they no longer end it by themselves.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// The signals cannot be watched.
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            Some(()) = self.terminate.recv() => Stop::Terminate,
            Some(()) = self.interrupt.recv() => Stop::Interrupt,
            // Neither ends before the runtime does.
            else => std::future::pending().await,
        }
    }
}

/// SIGHUP, which asks a process to read its configuration again. As long as this lives, it no longer ends the process.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// Begins to watch.
    ///
    /// # Errors
    /// The signal cannot be watched.
    pub fn watch() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for the next. Dropping the future loses nothing; several before it is asked are one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // It does not end before the runtime does.
            std::future::pending::<()>().await;
        }
    }
}
