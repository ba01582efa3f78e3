//! What operators have set against health: who, why, until when, and for what.
//!
//! An [`Override`] names what it is for by two globs, one over zones and one over what is in them; [`apply_overrides`] writes the
//! switches of a view. For each switch the newest override that matches it is the only one that counts, however wide its
//! pattern. Times here are those of the calendar, since overrides outlive the process; a view has the prober's clock, and
//! whoever applies them tells both.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::switch::{Switch, SwitchId};
use super::view::View;

/// One override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Larger is newer.
    pub id: u64,
    /// Which zones: a glob over apexes without the final dot, `*` for all. Letters stand for small and capital ones.
    pub zone: String,
    /// What in them: a glob over pools (`us`), endpoints (`us/192.0.2.1`) and policies' targets (`by-region/us`). A pattern without a
    /// slash is about pools, one with a slash about the others: `*` and `?` before the first slash never stand for it.
    pub pattern: String,
    #[serde(flatten)]
    pub action: Action,
    pub reason: String,
    pub author: String,
    /// When it was set, in milliseconds since 1970 in UTC.
    pub set_ms: u64,
    /// When it ends by itself.
    pub ends_ms: Option<u64>,
}

/// What an override does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Counts as up whatever its checks say.
    Up,
    /// Counts as down.
    Down,
    /// Loses so many thousandths of its draws per minute, until it is down.
    Drain { per_minute: u16 },
}

/// What a switch is for, by the names of the zone file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwitchName<'a> {
    Pool(&'a str),
    Endpoint { pool: &'a str, endpoint: &'a str },
    Target { policy: &'a str, target: &'a str },
}

impl Override {
    /// Whether its time is over at a moment of the calendar, in milliseconds.
    pub fn has_ended(&self, now_unix_ms: u64) -> bool {
        self.ends_ms.is_some_and(|end| end <= now_unix_ms)
    }

    /// Whether it is for a zone, by the apex without the final dot.
    pub fn is_for_zone(&self, apex: &str) -> bool {
        let pattern = self.zone.strip_suffix('.').filter(|rest| !rest.is_empty());
        is_match(pattern.unwrap_or(&self.zone), apex, true)
    }

    /// Whether it is for a thing of a zone that it is for.
    pub fn is_for(&self, name: &SwitchName<'_>) -> bool {
        match (self.pattern.split_once('/'), name) {
            (None, SwitchName::Pool(pool)) => is_match(&self.pattern, pool, false),
            (Some((whole, part)), SwitchName::Endpoint { pool, endpoint }) => {
                is_match(whole, pool, false) && is_match(part, endpoint, false)
            }
            (Some((whole, part)), SwitchName::Target { policy, target }) => {
                is_match(whole, policy, false) && is_match(part, target, false)
            }
            _ => false,
        }
    }

    /// How it sets a switch. A drain began as long ago as it was set; where the prober's clock began later than that, it goes on from
    /// there, unless it is over.
    fn stand(&self, now_unix_ms: u64, now_monotonic_ms: u64) -> Switch {
        match self.action {
            Action::Up => Switch::Up,
            Action::Down => Switch::Down,
            Action::Drain { per_minute } => {
                let age = now_unix_ms.saturating_sub(self.set_ms);
                let drain = |since_ms| Switch::Drain { since_ms, per_minute };
                if drain(0).wins(age) == Some(0) {
                    return Switch::Down;
                }
                drain(now_monotonic_ms.saturating_sub(age))
            }
        }
    }
}

/// Writes every switch of a view. The overrides are those that are set, the oldest first; `names` are those of the snapshot that the
/// view belongs to, in order of number, the switches of a zone together. Gives back for each override how many switches it is for,
/// newer ones left aside: one that is for none is a slip, or the zone file changed. One whose time is over is for none.
pub fn apply_overrides<'n, A: AsRef<str>>(
    overrides: &[Override],
    names: impl IntoIterator<Item = (SwitchId, A, SwitchName<'n>)>,
    view: &View,
    now_unix_ms: u64,
    now_monotonic_ms: u64,
) -> Vec<usize> {
    let stands = |one: &Override| {
        let is_over = one.has_ended(now_unix_ms);
        (!is_over).then(|| one.stand(now_unix_ms, now_monotonic_ms))
    };
    let standing: Vec<Option<Switch>> = overrides.iter().map(stands).collect();
    let mut touched: Vec<usize> = overrides.iter().map(|_| 0).collect();
    let mut switches = vec![Switch::Free; view.switch_count()];
    let (mut zone, mut is_for_zone) = (None, Vec::new());
    for (id, apex, name) in names {
        if zone.as_ref().is_none_or(|zone: &A| zone.as_ref() != apex.as_ref()) {
            is_for_zone = overrides.iter().map(|one| one.is_for_zone(apex.as_ref())).collect();
            zone = Some(apex);
        }
        let place = usize::try_from(id.0).ok();
        let Some(stand) = place.and_then(|place| switches.get_mut(place)) else { continue };
        // The newest comes last and stays.
        let counted = overrides.iter().zip(&standing).zip(&is_for_zone).zip(&mut touched);
        for (((one, switch), is_for_zone), count) in counted {
            let Some(switch) = switch.filter(|_| *is_for_zone && one.is_for(&name)) else {
                continue;
            };
            *stand = switch;
            *count = count.saturating_add(1);
        }
    }
    let counting = overrides.iter().zip(&touched).filter(|(_, count)| **count > 0);
    let ends = counting.filter_map(|(one, _)| one.ends_ms);
    let next_end_ms =
        ends.map(|end| now_monotonic_ms.saturating_add(end.saturating_sub(now_unix_ms))).min();
    view.set_switches(next_end_ms, |id| {
        let place = usize::try_from(id.0).ok();
        place.and_then(|place| switches.get(place)).copied().unwrap_or_default()
    });
    touched
}

/// Whether a glob stands for a whole text: `*` for any characters, `?` for one. Takes at most the product of their lengths: of the
/// stars only the last one is ever tried again.
pub fn is_match(pattern: &str, text: &str, folds_case: bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let is_same =
        |one: char, other: char| one == other || folds_case && one.eq_ignore_ascii_case(&other);
    // What follows the last star, and the text that it has not taken yet.
    let mut retry = None;
    loop {
        let left = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((pattern.clone(), left.clone()));
                text = left;
                continue;
            }
            (Some('?'), Some(_)) => continue,
            (Some(one), Some(other)) if is_same(one, other) => continue,
            _ => {}
        }
        let Some((after, mut from)) = retry else { return false };
        if from.next().is_none() {
            return false;
        }
        (pattern, text) = (after.clone(), from.clone());
        retry = Some((after, from));
    }
}

/// As an override names it: `us`, `us/192.0.2.1`, `by-region/us`.
impl fmt::Display for SwitchName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(pool) => f.write_str(pool),
            Self::Endpoint { pool: whole, endpoint: part }
            | Self::Target { policy: whole, target: part } => {
                f.write_str(whole)?;
                f.write_char('/')?;
                f.write_str(part)
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Drain { per_minute } => {
                write!(f, "drain {} % per minute", f64::from(*per_minute) / 10.0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
