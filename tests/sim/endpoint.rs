//! What an endpoint really does, whatever anybody believes of it.

use crate::random::Random;

/// How an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Alive,
    /// Refuses at once.
    Dead,
    /// Says nothing.
    Hanging,
    /// Answers for so many milliseconds, then not for as many, and so on.
    Flapping {
        half_ms: u64,
    },
    /// Loses so many probes in a hundred.
    Lossy {
        percent: u64,
    },
}

/// What becomes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answer { after_ms: u64 },
    Refusal { after_ms: u64 },
    Silence,
}

#[derive(Clone, Debug)]
pub struct Endpoint {
    pub condition: Condition,
    /// Since when, in milliseconds.
    pub since: u64,
    /// Time it takes to answer.
    pub latency_ms: u64,
}

impl Endpoint {
    pub fn new(random: &mut Random) -> Self {
        Self { condition: Condition::Alive, since: 0, latency_ms: random.between(1, 80) }
    }

    /// Becomes something else.
    pub fn change(&mut self, random: &mut Random, now: u64) {
        self.since = now;
        self.condition = match random.below(10) {
            0..=4 => Condition::Alive,
            5 | 6 => Condition::Dead,
            7 => Condition::Hanging,
            8 => Condition::Flapping { half_ms: random.between(200, 20_000) },
            _ => Condition::Lossy { percent: random.between(5, 60) },
        };
    }

    pub fn heal(&mut self, now: u64) {
        (self.condition, self.since) = (Condition::Alive, now);
    }

    pub fn fate(&self, random: &mut Random, now: u64) -> Fate {
        let after_ms = self.latency_ms;
        let is_good = match self.condition {
            Condition::Alive => true,
            Condition::Dead => return Fate::Refusal { after_ms: 1 },
            Condition::Hanging => false,
            Condition::Flapping { half_ms } => (now - self.since) / half_ms % 2 == 1,
            Condition::Lossy { percent } => !random.percent(percent),
        };
        if is_good { Fate::Answer { after_ms } } else { Fate::Silence }
    }
}
