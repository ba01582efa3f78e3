//! What operators have set against health: who, why, until when, and for what.
//!
//! An [`Override`] names what it is for by two globs, one over zones and one over what is in them; [`Overrides`] is the ordered list of
//! those that stand, and writes the switches of a view. For each switch the newest override that matches it is the only one that
//! counts, however wide its pattern. Times here are those of the calendar, since overrides outlive the process; a view has the
//! prober's clock, and [`Overrides::apply`] is told both.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::switch::{Switch, SwitchId};
use super::view::View;
use crate::limits::{
    OVERRIDE_AUTHOR_OCTETS, OVERRIDE_PATTERN_OCTETS, OVERRIDE_REASON_OCTETS, OVERRIDES,
};

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

/// The overrides that stand, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides {
    list: Vec<Override>,
}

/// Why an override can't be set. Written for the operator who wants to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverrideError {
    /// [`OVERRIDES`] stand already.
    TooMany,
    /// Nothing, or white space alone, where something must be; what.
    Empty(&'static str),
    /// More octets than allowed: of what, how many, and the most.
    TooLong(&'static str, usize, usize),
    /// A control character; in what.
    Control(&'static str),
    /// A pace of 0 or above [`Switch::MOST_PER_MINUTE`].
    Pace(u16),
    /// It would end before it began.
    Over,
    /// One of this number stands, or did so before.
    Number(u64),
}

impl Override {
    /// Whether it can be set.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), OverrideError> {
        check_text("zone pattern", &self.zone, OVERRIDE_PATTERN_OCTETS)?;
        check_text("pattern", &self.pattern, OVERRIDE_PATTERN_OCTETS)?;
        check_text("reason", &self.reason, OVERRIDE_REASON_OCTETS)?;
        check_text("author", &self.author, OVERRIDE_AUTHOR_OCTETS)?;
        match self.action {
            Action::Drain { per_minute }
                if !(1..=Switch::MOST_PER_MINUTE).contains(&per_minute) =>
            {
                Err(OverrideError::Pace(per_minute))
            }
            _ if self.has_ended(self.set_ms) => Err(OverrideError::Over),
            _ => Ok(()),
        }
    }

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

fn check_text(what: &'static str, text: &str, most: usize) -> Result<(), OverrideError> {
    if text.trim().is_empty() {
        return Err(OverrideError::Empty(what));
    }
    if text.len() > most {
        return Err(OverrideError::TooLong(what, text.len(), most));
    }
    if text.chars().any(char::is_control) { Err(OverrideError::Control(what)) } else { Ok(()) }
}

impl Overrides {
    /// Those of a list, which were checked when they were set.
    pub fn of(list: &[Override]) -> Self {
        Self { list: list.to_vec() }
    }

    /// Those that stand, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Override> {
        self.list.iter()
    }

    /// Whether none stands.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many stand.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The number that the next one gets: above all that stand.
    pub fn next_id(&self) -> u64 {
        self.list.last().map_or(1, |last| last.id.saturating_add(1))
    }

    /// Adds one, which must be newer than all others.
    ///
    /// # Errors
    /// What is wrong with it, or with there being one more.
    pub fn try_add(&mut self, one: Override) -> Result<(), OverrideError> {
        one.check()?;
        if self.list.len() >= OVERRIDES {
            return Err(OverrideError::TooMany);
        }
        if one.id < self.next_id() {
            return Err(OverrideError::Number(one.id));
        }
        self.list.push(one);
        Ok(())
    }

    /// Takes one back, if it stands.
    pub fn remove(&mut self, id: u64) -> Option<Override> {
        let place = self.list.iter().position(|one| one.id == id)?;
        Some(self.list.remove(place))
    }

    /// Takes out those whose time is over at a moment of the calendar, in milliseconds.
    pub fn remove_ended(&mut self, now_unix_ms: u64) -> Vec<Override> {
        self.list.extract_if(.., |one| one.has_ended(now_unix_ms)).collect()
    }

    /// When the next one ends by itself, in milliseconds since 1970 in UTC.
    pub fn next_end_ms(&self) -> Option<u64> {
        self.list.iter().filter_map(|one| one.ends_ms).min()
    }

    /// How a thing of a zone stands at a moment, told on both clocks in milliseconds.
    pub fn stand(
        &self,
        apex: &str,
        name: &SwitchName<'_>,
        now_unix_ms: u64,
        now_monotonic_ms: u64,
    ) -> Switch {
        let newest =
            self.list.iter().rev().find(|one| {
                !one.has_ended(now_unix_ms) && one.is_for_zone(apex) && one.is_for(name)
            });
        newest.map_or(Switch::Free, |one| one.stand(now_unix_ms, now_monotonic_ms))
    }

    /// Writes every switch of a view. `names` are those of the snapshot that the view belongs to, in order of number, the switches
    /// of a zone together. Gives back for each override, by its number, how many switches it is for, newer ones
    /// left aside: one that is for none is a slip, or the zone file changed.
    pub fn apply<'n, A: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = (SwitchId, A, SwitchName<'n>)>,
        view: &View,
        now_unix_ms: u64,
        now_monotonic_ms: u64,
    ) -> Vec<(u64, usize)> {
        let standing: Vec<(&Override, Switch)> = self
            .list
            .iter()
            .filter(|one| !one.has_ended(now_unix_ms))
            .map(|one| (one, one.stand(now_unix_ms, now_monotonic_ms)))
            .collect();
        let mut touched: Vec<usize> = standing.iter().map(|_| 0).collect();
        let mut stands = vec![Switch::Free; view.switch_count()];
        if standing.is_empty() {
            view.set_switches(|_| Switch::Free);
            return Vec::new();
        }
        let (mut zone, mut is_for_zone) = (None, Vec::new());
        for (id, apex, name) in names {
            if zone.as_ref().is_none_or(|zone: &A| zone.as_ref() != apex.as_ref()) {
                is_for_zone =
                    standing.iter().map(|(one, _)| one.is_for_zone(apex.as_ref())).collect();
                zone = Some(apex);
            }
            let place = usize::try_from(id.0).ok();
            let Some(stand) = place.and_then(|place| stands.get_mut(place)) else { continue };
            // The newest comes last and stays.
            let counted = standing.iter().zip(&is_for_zone).zip(&mut touched);
            for (((one, switch), is_for_zone), count) in counted {
                if *is_for_zone && one.is_for(&name) {
                    *stand = *switch;
                    *count = count.saturating_add(1);
                }
            }
        }
        view.set_switches(|id| {
            let place = usize::try_from(id.0).ok();
            place.and_then(|place| stands.get(place)).copied().unwrap_or_default()
        });
        standing.iter().zip(touched).map(|((one, _), count)| (one.id, count)).collect()
    }
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
                write!(f, "drain, {}.{} % a minute", per_minute / 10, per_minute % 10)
            }
        }
    }
}

impl fmt::Display for OverrideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => {
                write!(f, "{OVERRIDES} overrides stand already: end some, or use wider patterns")
            }
            Self::Empty(what) => write!(f, "the {what} is empty"),
            Self::TooLong(what, octets, most) => {
                write!(f, "the {what} has {octets} octets, {most} is the most")
            }
            Self::Control(what) => write!(f, "the {what} has a control character in it"),
            Self::Pace(pace) => {
                let (most, rest) = (Switch::MOST_PER_MINUTE / 10, Switch::MOST_PER_MINUTE % 10);
                write!(f, "{pace} thousandths a minute is not between 0.1 % and {most}.{rest} %")
            }
            Self::Over => f.write_str("it would end before it began"),
            Self::Number(id) => write!(f, "{id} is not above the numbers of those that stand"),
        }
    }
}

impl std::error::Error for OverrideError {}

#[cfg(test)]
mod tests;
