//! The story of one selection, told while it happens.
//!
//! Answering and explaining are the same code: a selection reports each [`Step`] to a [`Trace`], and the one that answers
//! queries ignores them, which the compiler removes.

use super::tree::{PolicyId, Target};

/// One thing that a selection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A policy begins to choose.
    Enter(PolicyId),
    /// A weighted policy drew this target, whose weight is so much of what was left in its tier; in 256ths if some of it
    /// may be ramping up (B7).
    Draw { target: Target, weight: u32, total: u32, is_ramped: bool },
    /// A sticky policy keeps the client at this target (B5).
    Stick(Target),
    /// A latency policy tries this target next, for what was measured if anything was.
    Nearest { target: Target, microseconds: Option<u32> },
    /// A pool, or the set of a multivalue policy, is not for this client, whatever its health (B4).
    Bar(Target),
    /// Nothing that this client's residency allows is up, and it says to answer with nothing then (B4).
    FailClosed,
    /// A pool, or the set of a multivalue policy, was passed over: none of its endpoints is up.
    PassOver(Target),
    /// A switch decides that a target counts as up, or as down, for the policy that considers it.
    Force { from: PolicyId, target: Target, is_up: bool },
    /// A policy had nothing that is up, or nothing at all for this client.
    Exhausted(PolicyId),
    /// A pool was taken, or the set of a multivalue policy.
    Take(Target),
    /// Nothing was up below here: it is walked again as if all were (rules 4 and 52).
    AllDown,
    /// All that there is was taken away by operators: it is walked again as if they had not.
    AllTaken,
    /// Nothing was up below this policy, and it does what its `all_down` says (B2).
    LastResort(PolicyId),
}

/// Listens to a selection.
pub trait Trace {
    /// Takes note of a step at a depth of nesting.
    fn note(&mut self, depth: usize, step: Step);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoTrace;

impl Trace for NoTrace {
    #[inline]
    fn note(&mut self, _: usize, _: Step) {}
}

impl Trace for Vec<(usize, Step)> {
    fn note(&mut self, depth: usize, step: Step) {
        self.push((depth, step));
    }
}
