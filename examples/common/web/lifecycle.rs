//! Starting, ready, draining: a program's phases, and the signals that ask for them.

use tokio::sync::watch;

/// A program's phase, shared by clones.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Draining,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Starting) }
    }
}

impl Lifecycle {
    /// Says that requests can be answered now; has no effect once draining has begun.
    pub fn ready(&self) {
        self.phase.send_if_modified(|phase| {
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Ready;
            }
            starting
        });
    }

    /// Whether requests can be answered: after [`Lifecycle::ready`] and before draining.
    pub fn is_ready(&self) -> bool {
        *self.phase.borrow() == Phase::Ready
    }

    /// Asks the program to stop. There is no way back.
    pub fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Completes when the program is asked to stop; at once if it was already.
    pub async fn draining(&self) {
        // Cannot fail: `self` holds the sender.
        self.phase.subscribe().wait_for(|phase| *phase == Phase::Draining).await.ok();
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Reload,
    Stop(StopSignal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopSignal {
    Interrupt,
    Terminate,
}

impl StopSignal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    pub(super) fn number(self) -> i32 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// The process's signals from now on; before, they end the process.
pub(super) struct Signals {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn watch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            Some(()) = self.hangup.recv() => Asked::Reload,
            Some(()) = self.interrupt.recv() => Asked::Stop(StopSignal::Interrupt),
            Some(()) = self.terminate.recv() => Asked::Stop(StopSignal::Terminate),
            else => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn watch() -> std::io::Result<Self> {
        Ok(Self {})
    }

    pub(super) async fn next(&mut self) -> Asked {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Asked::Stop(StopSignal::Interrupt),
            Err(_) => std::future::pending().await,
        }
    }
}

impl Signals {
    /// The next signal that asks to stop.
    pub(super) async fn stop(&mut self) -> StopSignal {
        loop {
            if let Asked::Stop(signal) = self.next().await {
                return signal;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn draining_is_final() {
        let lifecycle = Lifecycle::default();
        let other = lifecycle.clone();
        assert!(!lifecycle.is_ready());
        lifecycle.ready();
        assert!(other.is_ready());
        assert!(other.draining().now_or_never().is_none());
        lifecycle.drain();
        other.draining().await;
        other.ready();
        assert!(!lifecycle.is_ready());
    }
}
