//! The doubt about ourselves: when most fails at once, it is rather our own network than everybody else's.
//!
//! ```text
//!                  a target is about to go down, and
//!                  more than `share` of what was seen since its first failure fails too, in two pools or more,
//!                  or every sentinel fails
//!         Trusting ──────────────────────────────────────────────────────────────────────▶ Holding { until }
//!            ▲                                                                                │      │
//!            │ fewer fail, or a sentinel answers: what is down by now is believed             │      │
//!            ├────────────────────────────────────────────────────────────────────────────────┘      │
//!            │ others answer                       `hold` is over, or an operator says so: believed  │
//!            └──────────────────────────── Overruled ◀───────────────────────────────────────────────┘
//! ```
//!
//! While it holds, nothing goes down; what comes up does. Only who was seen since the first failure of the target in question
//! counts, or fails himself, because a slow check that succeeded before says nothing about now; and who began to answer while the last
//! of these failures was waited for proves nothing of it: then the next one is waited for. In a small fleet half is too easily reached by two
//! ends that really died: there, nothing at all may answer (RELIABILITY §5.2).

use std::time::Duration;

use super::moment::Moment;

/// A sentinel that has been silent for so long says nothing of our network: a longer outage of that would have been believed by then.
const SENTINEL_BROKEN_AFTER: Duration = Duration::from_secs(1_800);

/// When failures are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Percent of the targets that must fail together for more than this to be doubted.
    pub share: u8,
    /// How long the last view is held at most.
    pub hold: Duration,
    /// Fewer targets than this are doubted only if none of them answers.
    pub small_fleet: u16,
}

impl GuardSettings {
    /// Whether so many of so many are more than is believed at once.
    pub fn is_most(&self, part: u32, whole: u32) -> bool {
        u64::from(part).saturating_mul(100) > u64::from(whole).saturating_mul(self.share.into())
    }
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { share: 50, hold: Duration::from_secs(600), small_fleet: 8 }
    }
}

/// What is last known of one target, as far as the guard asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The last result that said something of the endpoint; nothing if there was none.
    pub seen: Option<Moment>,
    /// The equal results in a row that the last ones were.
    pub run: Run,
    /// The last failure.
    pub failed: Option<Moment>,
    /// The last probe could not be made, for a reason that lies in the target.
    pub is_mute: bool,
    /// Where it belongs: a number per pool.
    pub pool: u32,
    pub part: Part,
}

impl Pulse {
    /// Takes a result in. Gives whether a run of failures begins with it.
    pub fn note(&mut self, is_success: bool, now: Moment) -> bool {
        (self.seen, self.is_mute) = (Some(now), false);
        if !is_success {
            self.failed = Some(now);
        }
        match (self.run, is_success) {
            (Run::Answering { .. }, true) | (Run::Failing { .. }, false) => false,
            (_, true) => {
                self.run = Run::Answering { since: now };
                false
            }
            (_, false) => {
                self.run = Run::Failing { since: now };
                true
            }
        }
    }

    /// Failures in a row count for nothing any more.
    pub fn forget_failures(&mut self) {
        if let Run::Failing { .. } = self.run {
            self.run = Run::None;
        }
    }

    /// When the failures in a row began, if the last result was one.
    pub fn failing_since(&self) -> Option<Moment> {
        match self.run {
            Run::Failing { since } => Some(since),
            Run::None | Run::Answering { .. } => None,
        }
    }
}

/// Equal results in a row, and when the first of them was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    #[default]
    None,
    Answering {
        since: Moment,
    },
    Failing {
        since: Moment,
    },
}

/// What a target is for the guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Not probed, or believed to be down already: it says nothing.
    #[default]
    None,
    /// Believed to be up.
    Witness,
    /// Not in any answer, only asked to learn about ourselves.
    Sentinel,
}

/// How many fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// All witnesses.
    pub witnesses: u32,
    /// Those that were seen lately, or fail.
    pub observed: u32,
    /// Those that fail.
    pub failing: u32,
    /// Those of them that were not asked lately.
    pub stale: u32,
    /// Whether these are of two pools at least.
    pub is_spread: bool,
    /// Sentinels that were seen lately, and those that answered.
    pub sentinels: u32,
    pub answering: u32,
    /// Sentinels that answered when they were last asked, which was before.
    pub unheard: u32,
}

impl Survey {
    /// Looks at everybody, as they are now: only what was seen at or after `onset` counts.
    pub fn take<'a>(
        pulses: impl IntoIterator<Item = &'a Pulse>,
        onset: Moment,
        now: Moment,
    ) -> Self {
        Self::of(pulses, onset, now, |pulse| match pulse.run {
            Run::Failing { .. } => Word::Fails,
            Run::Answering { .. } if pulse.seen >= Some(onset) => Word::Answers,
            Run::None | Run::Answering { .. } => Word::Nothing,
        })
    }

    /// The same, as witnesses of a probe that began at `started` and failed. Our network may have come back while an answer to it was
    /// still waited for: who has begun to answer only after `started` counts as failing if he has failed since `onset`, and else says
    /// nothing. Who answered before and still does is a witness, whatever he did earlier.
    pub fn look_back<'a>(
        pulses: impl IntoIterator<Item = &'a Pulse>,
        onset: Moment,
        started: Moment,
        now: Moment,
    ) -> Self {
        Self::of(pulses, onset, now, |pulse| match pulse.run {
            Run::Failing { .. } => Word::Fails,
            Run::Answering { since } if since > started => {
                if pulse.failed >= Some(onset) {
                    Word::Fails
                } else {
                    Word::Nothing
                }
            }
            Run::Answering { .. } if pulse.seen >= Some(onset) => Word::Answers,
            Run::None | Run::Answering { .. } => Word::Nothing,
        })
    }

    fn of<'a>(
        pulses: impl IntoIterator<Item = &'a Pulse>,
        onset: Moment,
        now: Moment,
        word: impl Fn(&Pulse) -> Word,
    ) -> Self {
        // A sentinel that is silent for so long is out of order itself.
        let is_broken = |pulse: &Pulse| {
            pulse.failing_since().is_some_and(|since| now.since(since) > SENTINEL_BROKEN_AFTER)
        };
        let mut survey = Self::default();
        let mut first_pool = None;
        for pulse in pulses {
            let is_witness = pulse.part == Part::Witness;
            survey.witnesses = survey.witnesses.saturating_add(u32::from(is_witness));
            let word = word(pulse);
            let fails = word == Word::Fails;
            match pulse.part {
                Part::Sentinel if word == Word::Nothing => {
                    let is_unheard = matches!(pulse.run, Run::Answering { .. });
                    survey.unheard = survey.unheard.saturating_add(u32::from(is_unheard));
                }
                _ if word == Word::Nothing => {}
                Part::None => {}
                Part::Sentinel if is_broken(pulse) => {}
                Part::Sentinel => {
                    survey.sentinels = survey.sentinels.saturating_add(1);
                    survey.answering = survey.answering.saturating_add(u32::from(!fails));
                }
                Part::Witness => {
                    survey.observed = survey.observed.saturating_add(1);
                    if fails {
                        survey.failing = survey.failing.saturating_add(1);
                        let is_stale = pulse.seen < Some(onset);
                        survey.stale = survey.stale.saturating_add(u32::from(is_stale));
                        survey.is_spread |= first_pool.is_some_and(|pool| pool != pulse.pool);
                        first_pool.get_or_insert(pulse.pool);
                    }
                }
            }
        }
        survey
    }

    /// Why failures are doubted, if they are.
    pub fn doubt(&self, settings: &GuardSettings) -> Option<Doubt> {
        if self.answering > 0 {
            return None;
        }
        if self.sentinels > 0 && self.unheard == 0 {
            return Some(Doubt::Sentinels);
        }
        // Those that failed before and were not asked since would outweigh all that answer but were not asked either.
        let observed = self.observed.saturating_sub(self.stale);
        let is_most = if observed < u32::from(settings.small_fleet) {
            self.failing == self.observed
        } else {
            settings.is_most(self.failing.saturating_sub(self.stale), observed)
        };
        (self.is_spread && is_most).then_some(Doubt::Share)
    }
}

/// What one pulse says of the time in question. Who is failing says so until he is seen to answer, however long ago that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Nothing,
    Answers,
    Fails,
}

/// Why failures are doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No sentinel answers.
    Sentinels,
    /// Too many fail at once.
    Share,
}

impl Doubt {
    /// For logs and events.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Sentinels => "no sentinel answers",
            Self::Share => "too much fails at once",
        }
    }
}

/// Where the guard stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    #[default]
    Trusting,
    Holding {
        /// When the failures began.
        onset: Moment,
        until: Moment,
    },
    /// It held for as long as it may, and what failed then still does.
    Overruled { onset: Moment },
}

/// A change of where the guard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Held(Doubt),
    Released(&'static str),
}

impl Guard {
    /// Whether nothing may go down.
    pub fn holds(self) -> bool {
        matches!(self, Self::Holding { .. })
    }

    /// A target is about to go down whose failures began at `onset`.
    pub fn doubt(
        &mut self,
        survey: &Survey,
        settings: &GuardSettings,
        onset: Moment,
        now: Moment,
    ) -> Option<Turn> {
        if *self != Self::Trusting {
            return None;
        }
        let doubt = survey.doubt(settings)?;
        *self = Self::Holding { onset, until: now.after(settings.hold) };
        Some(Turn::Held(doubt))
    }

    /// Looks again, now and then, when it does not just trust. `survey` is of what was seen since the moment it is given.
    pub fn review(
        &mut self,
        survey: impl FnOnce(Moment) -> Survey,
        settings: &GuardSettings,
        now: Moment,
    ) -> Option<Turn> {
        match *self {
            Self::Trusting => None,
            Self::Holding { onset, until } => {
                if survey(onset).doubt(settings).is_none() {
                    *self = Self::Trusting;
                    return Some(Turn::Released("enough answers again"));
                }
                if now < until {
                    return None;
                }
                *self = Self::Overruled { onset };
                Some(Turn::Released("it was held for as long as it may be"))
            }
            Self::Overruled { onset } => {
                // What fell with the hold is no witness any more: others must be seen to answer.
                let survey = survey(onset);
                let is_answered = survey.observed > survey.failing || survey.answering > 0;
                if is_answered && survey.doubt(settings).is_none() {
                    *self = Self::Trusting;
                }
                None
            }
        }
    }

    /// An operator knows better.
    pub fn overrule(&mut self) -> Option<Turn> {
        let Self::Holding { onset, .. } = *self else { return None };
        *self = Self::Overruled { onset };
        Some(Turn::Released("an operator said so"))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(100_000);

    /// Witnesses in pools in turn, of which some fail since 98 s.
    fn fleet(count: u32, failing: u32, pools: u32) -> Vec<Pulse> {
        (0..count)
            .map(|number| Pulse {
                seen: Some(Moment(98_500)),
                run: match number < failing {
                    true => Run::Failing { since: Moment(98_000) },
                    false => Run::Answering { since: Moment(1) },
                },
                failed: (number < failing).then_some(Moment(99_000)),
                pool: number % pools,
                part: Part::Witness,
                is_mute: false,
            })
            .collect()
    }

    fn doubt(pulses: &[Pulse]) -> Option<Doubt> {
        Survey::take(pulses, Moment(98_000), NOW).doubt(&GuardSettings::default())
    }

    #[test]
    fn more_than_half_in_two_pools_is_doubted() {
        assert_eq!(doubt(&fleet(10, 5, 2)), None);
        assert_eq!(doubt(&fleet(10, 6, 2)), Some(Doubt::Share));
        assert_eq!(doubt(&fleet(10, 6, 1)), None, "one pool may die as a whole");
        assert_eq!(doubt(&[]), None);
    }

    #[test]
    fn in_a_small_fleet_nothing_may_answer() {
        assert_eq!(doubt(&fleet(3, 2, 3)), None);
        assert_eq!(doubt(&fleet(3, 3, 3)), Some(Doubt::Share));
        assert_eq!(doubt(&fleet(7, 6, 7)), None);
        assert_eq!(doubt(&fleet(1, 1, 1)), None);
    }

    #[test]
    fn what_was_seen_before_says_nothing() {
        let mut pulses = fleet(20, 6, 2);
        for pulse in pulses.iter_mut().skip(6) {
            pulse.seen = Some(Moment(97_999));
        }
        assert_eq!(doubt(&pulses), Some(Doubt::Share), "six of six");
        for pulse in &mut pulses {
            pulse.part = Part::None;
        }
        assert_eq!(doubt(&pulses), None, "what was down before is no witness");
    }

    #[test]
    fn who_answers_only_after_a_probe_began_is_no_witness_of_it() {
        let doubt = |pulses: &[Pulse], started| {
            Survey::look_back(pulses, Moment(98_000), started, NOW).doubt(&GuardSettings::default())
        };
        let mut pulses = fleet(4, 3, 2);
        assert_eq!(doubt(&pulses, Moment(98_500)), None, "one answered all the time");
        let last = pulses.last_mut().unwrap();
        last.run = Run::Answering { since: Moment(99_000) };
        assert_eq!(
            doubt(&pulses, Moment(98_500)),
            Some(Doubt::Share),
            "it answers since then only"
        );
        assert_eq!(doubt(&pulses, Moment(99_000)), None, "this probe began when it answered");
        let last = pulses.last_mut().unwrap();
        last.failed = Some(Moment(98_000));
        assert_eq!(doubt(&pulses, Moment(98_500)), Some(Doubt::Share), "it failed with the others");
        assert_eq!(doubt(&pulses, Moment(99_000)), None, "and answered before this probe began");
    }

    #[test]
    fn a_pulse_knows_its_run() {
        let mut pulse = Pulse::default();
        assert!(!pulse.note(true, Moment(1)) && !pulse.note(true, Moment(2)));
        assert_eq!((pulse.run, pulse.failing_since()), (Run::Answering { since: Moment(1) }, None));
        assert!(pulse.note(false, Moment(3)) && !pulse.note(false, Moment(4)));
        assert_eq!(pulse.failing_since(), Some(Moment(3)));
        assert_eq!((pulse.seen, pulse.failed), (Some(Moment(4)), Some(Moment(4))));
        pulse.note(true, Moment(5));
        assert_eq!(pulse.run, Run::Answering { since: Moment(5) });
        assert_eq!((pulse.seen, pulse.failed), (Some(Moment(5)), Some(Moment(4))));
        assert!(Pulse::default().note(false, Moment(6)), "the first result may be a failure");
    }

    #[test]
    fn sentinels_know_better_than_shares() {
        let sentinel =
            |run| Pulse { seen: Some(NOW), run, part: Part::Sentinel, ..Pulse::default() };
        let good = sentinel(Run::Answering { since: Moment(1) });
        let bad = sentinel(Run::Failing { since: Moment(98_500) });
        let with = |count, failing, sentinels: &[Pulse]| {
            doubt(&[&fleet(count, failing, 2)[..], sentinels].concat())
        };
        assert_eq!(with(10, 10, &[good, bad]), None);
        assert_eq!(with(10, 1, &[bad, bad]), Some(Doubt::Sentinels));
        assert_eq!(with(10, 1, &[bad, good]), None);
        let unheard = Pulse { seen: Some(Moment(97_000)), ..good };
        assert_eq!(with(10, 1, &[bad, unheard]), None, "it is asked, and waited for");
        assert_eq!(with(10, 10, &[bad, unheard]), Some(Doubt::Share), "till then the share counts");
    }

    #[test]
    fn it_holds_lets_go_and_is_overruled() {
        let settings = GuardSettings::default();
        let (most, few) = (fleet(10, 10, 2), fleet(10, 2, 2));
        let onset = Moment(98_000);
        let survey = |pulses: &[Pulse]| Survey::take(pulses, onset, NOW);
        let mut guard = Guard::default();
        assert_eq!(guard.doubt(&survey(&few), &settings, onset, NOW), None);
        assert_eq!(
            guard.doubt(&survey(&most), &settings, onset, NOW),
            Some(Turn::Held(Doubt::Share))
        );
        assert!(guard.holds());
        assert_eq!(
            guard.review(|_| survey(&most), &settings, NOW.after(Duration::from_secs(599))),
            None
        );
        let mut recovered = guard;
        let turn = recovered.review(|_| survey(&few), &settings, NOW);
        assert!(matches!(turn, Some(Turn::Released(_))) && recovered == Guard::Trusting);
        let end = NOW.after(Duration::from_secs(600));
        assert!(matches!(guard.review(|_| survey(&most), &settings, end), Some(Turn::Released(_))));
        assert_eq!(guard, Guard::Overruled { onset });
        assert_eq!(
            guard.doubt(&survey(&most), &settings, onset, end),
            None,
            "it is not doubted twice"
        );
        assert_eq!(guard.review(|_| survey(&few), &settings, end), None);
        assert_eq!(guard, Guard::Trusting);
        assert_eq!(guard.overrule(), None);
    }
}
