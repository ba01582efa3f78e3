//! What an operator has set for one thing that answers are made of: a pool, an endpoint, or a policy's target.
//!
//! A switch stands above health: what is forced up counts as up whatever its checks say, what is forced down does not. Draining takes
//! a share of the draws away that grows with time, so that clients leave bit by bit. It is one word, so that a query reads it whole.

/// The number of a switch in its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SwitchId(pub u32);

impl SwitchId {
    /// That of nothing: nobody can set it.
    pub const NONE: Self = Self(u32::MAX);
}

/// How a switch stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Switch {
    /// Health decides.
    #[default]
    Free,
    Up,
    Down,
    /// Going down bit by bit.
    Drain {
        /// When it began, in milliseconds on the prober's clock.
        since_ms: u64,
        /// Thousandths of all draws that it loses per minute, 1 to [`Switch::MOST_PER_MINUTE`].
        per_minute: u16,
    },
}

/// Draws are out of so many.
pub const DRAWS: u32 = 1000;

impl Switch {
    /// The fastest drain: ten times all of it per minute, over within six seconds.
    pub const MOST_PER_MINUTE: u16 = 10_000;

    /// How many of [`DRAWS`] it still wins at this moment; nothing where health decides.
    pub fn wins(self, now_ms: u64) -> Option<u32> {
        match self {
            Self::Free => None,
            Self::Up => Some(DRAWS),
            Self::Down => Some(0),
            Self::Drain { since_ms, per_minute } => {
                let lost = now_ms
                    .saturating_sub(since_ms)
                    .saturating_mul(per_minute.into())
                    .checked_div(60_000)
                    .unwrap_or(0);
                Some(DRAWS.saturating_sub(u32::try_from(lost).unwrap_or(DRAWS)))
            }
        }
    }

    /// When nothing is left of it, if it is going down, on the clock that it began by.
    pub(super) fn over_at_ms(self) -> Option<u64> {
        let Self::Drain { since_ms, per_minute } = self else { return None };
        let takes_ms = u64::from(DRAWS).saturating_mul(60_000);
        Some(since_ms.saturating_add(takes_ms.div_ceil(per_minute.max(1).into())))
    }

    /// Two bits of kind, fourteen of pace, forty-eight of time: nine thousand years of milliseconds.
    pub(super) fn encode(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Up => 1,
            Self::Down => 2,
            Self::Drain { since_ms, per_minute } => {
                let pace = u64::from(per_minute.clamp(1, Self::MOST_PER_MINUTE));
                3 | pace << 2 | since_ms << 16
            }
        }
    }

    pub(super) fn decode(word: u64) -> Self {
        match word & 3 {
            1 => Self::Up,
            2 => Self::Down,
            3 => Self::Drain {
                since_ms: word >> 16,
                per_minute: u16::try_from(word >> 2 & 0x3FFF).unwrap_or(Self::MOST_PER_MINUTE),
            },
            _ => Self::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_loses_its_draws_at_its_pace() {
        let drain = Switch::Drain { since_ms: 10_000, per_minute: 100 };
        let wins = [0, 10_000, 70_000, 310_000, 610_000, u64::MAX].map(|now| drain.wins(now));
        assert_eq!(wins, [1000, 1000, 900, 500, 0, 0].map(Some));
        assert_eq!(Switch::Free.wins(5), None);
        assert_eq!((Switch::Up.wins(5), Switch::Down.wins(5)), (Some(DRAWS), Some(0)));
    }

    #[test]
    fn a_switch_is_one_word() {
        for per_minute in [1, 100, Switch::MOST_PER_MINUTE] {
            for since_ms in [0, 1, 1 << 47] {
                let drain = Switch::Drain { since_ms, per_minute };
                assert_eq!(Switch::decode(drain.encode()), drain);
            }
        }
        for switch in [Switch::Free, Switch::Up, Switch::Down] {
            assert_eq!(Switch::decode(switch.encode()), switch);
        }
    }
}
