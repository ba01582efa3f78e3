//! Kinds of events, as those who want to be told of some of them choose.

use super::event::Happening;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// An endpoint went down or came back.
    Endpoint,
    /// The last view is held, or no longer; what would tell that it must be is silent.
    Guard,
    /// Probes learn nothing, or something again.
    Blind,
    /// A certificate ends.
    Certificate,
    /// An operator overrode health, or no longer does.
    Override,
    /// The prober itself.
    Prober,
}

impl Topic {
    /// Every one, in the order in which they are listed to people.
    pub const ALL: [Self; 6] =
        [Self::Endpoint, Self::Guard, Self::Blind, Self::Certificate, Self::Override, Self::Prober];

    /// As settings write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Guard => "guard",
            Self::Blind => "blind",
            Self::Certificate => "certificate",
            Self::Override => "override",
            Self::Prober => "prober",
        }
    }
}

impl Happening {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Endpoint { .. } | Self::Confirmed { .. } => Topic::Endpoint,
            Self::GuardHeld { .. }
            | Self::GuardReleased { .. }
            | Self::SentinelsSilent { .. }
            | Self::SentinelsHeard => Topic::Guard,
            Self::Blind { .. } | Self::Sighted => Topic::Blind,
            Self::Certificate { .. } => Topic::Certificate,
            Self::OverrideSet { .. } | Self::OverrideEnded { .. } => Topic::Override,
            Self::ProberRestarted { .. } => Topic::Prober,
        }
    }
}
