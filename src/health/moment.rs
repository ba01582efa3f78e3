//! A point in time as health sees it: an argument, never asked for.
//!
//! Milliseconds on a clock that never goes back and whose beginning has no meaning; the server takes
//! [`monotonic_ms`](crate::sys::monotonic_ms), a simulation invents one. Differences never underflow: a moment that lies ahead is no
//! time ago.

use std::time::Duration;

/// Milliseconds on the clock of whoever calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to this; none if that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(as_ms(time)))
    }

    /// This much earlier; the beginning if there was none.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(as_ms(time)))
    }
}

fn as_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_over() {
        let second = Duration::from_secs(1);
        assert_eq!(Moment(5).since(Moment(9)), Duration::ZERO);
        assert_eq!(Moment(1_500).since(Moment(500)), second);
        assert_eq!(Moment(u64::MAX).after(second), Moment(u64::MAX));
        assert_eq!(Moment(7).after(second).before(second), Moment(7));
        assert_eq!(Moment(7).before(Duration::MAX), Moment(0));
    }
}
