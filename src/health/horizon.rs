//! How soon a status could change at the earliest, small enough to stand beside it in one octet.
//!
//! An answer need not be cached for longer than what it says can be relied on: the soonest possible change of anything that the
//! selection looked at caps the TTL (RELIABILITY §5.7, after gdnsd). Six bits are all there is room for; they hold seconds up to 30
//! and then steps of up to a third, rounded down, up to two hours, which is longer than any probe waits. The largest code says
//! "never, as far as we know": no check, or one that is disabled.

use std::time::Duration;

/// A time until the soonest change, as one of 64 steps; larger is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Horizon(u8);

/// Codes up to here are seconds.
const EXACT: u8 = 30;

/// The seconds of the codes above [`EXACT`] and below [`Horizon::NEVER`].
const STEPS: [u16; 32] = [
    36, 43, 52, 60, 75, 90, 105, 120, 150, 180, 210, 240, 270, 300, 360, 420, 480, 540, 600, 720,
    900, 1080, 1200, 1500, 1800, 2160, 2700, 3000, 3600, 4320, 5400, 7200,
];

impl Horizon {
    /// Nothing is known that could change it.
    pub const NEVER: Self = Self(63);

    /// The last step that is not later than this.
    pub fn within(time: Duration) -> Self {
        let seconds = time.as_secs();
        match u8::try_from(seconds) {
            Ok(seconds) if seconds <= EXACT => Self(seconds),
            _ => {
                let steps = STEPS.iter().take_while(|step| u64::from(**step) <= seconds).count();
                Self(EXACT.saturating_add(u8::try_from(steps).unwrap_or(0)))
            }
        }
    }

    /// In seconds; nothing if it is never.
    pub fn as_seconds(self) -> Option<u32> {
        match self.0.checked_sub(EXACT.saturating_add(1)) {
            None => Some(self.0.into()),
            Some(step) => STEPS.get(usize::from(step)).map(|seconds| u32::from(*seconds)),
        }
    }

    /// The six bits, and back.
    pub(super) fn as_code(self) -> u8 {
        self.0
    }

    pub(super) fn of_code(code: u8) -> Self {
        Self(code & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_is_never_later_than_what_it_stands_for_and_seldom_much_sooner() {
        for seconds in 0..20_000u32 {
            let horizon = Horizon::within(Duration::from_secs(seconds.into()));
            let told = horizon.as_seconds().unwrap();
            assert!(told <= seconds, "{seconds}: {told}");
            assert!(seconds > 7200 || told * 4 + 4 >= seconds * 3, "{seconds}: {told}");
            assert!(horizon < Horizon::NEVER);
            assert_eq!(Horizon::of_code(horizon.as_code()), horizon);
        }
        assert_eq!(Horizon::NEVER.as_seconds(), None);
        assert_eq!(Horizon::within(Duration::from_millis(1_999)).as_seconds(), Some(1));
        assert_eq!(Horizon::within(Duration::MAX).as_seconds(), Some(7200));
    }
}
