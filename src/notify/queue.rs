//! What waits to be told to one receiver. Pure: time is an argument.
//!
//! ```text
//! push ─▶ story of its subject ─take─▶ under way ─accept─▶ told, remembered for `repeat_after`
//!              ▲      │                    │
//!              │      └─ full: dropped     └─put_back─▶ merged with what came meanwhile; after an hour given up
//!              └── the next event of the same subject
//! ```
//!
//! Invariants: of one subject there is at most one story, and none is taken while another message is under way, so that a
//! receiver hears of each subject in the order of events; what is told last of a subject is its newest state, unless it was dropped or
//! given up, which is counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::words::{state_of, subject_of};
use crate::health::{Event, Moment};
use crate::limits::{WEBHOOK_BATCH, WEBHOOK_PATIENCE_SECONDS, WEBHOOK_TOLD};

/// All that happened to one subject since it was told of last.
#[derive(Clone, Debug)]
pub(super) struct Story {
    /// What it is about.
    subject: Arc<str>,
    pub(super) first: Arc<Event>,
    pub(super) last: Arc<Event>,
    /// How many events it is made of.
    pub(super) count: u64,
    /// When its newest event was first tried to be told.
    tried: Option<Moment>,
}

/// What goes into one message.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// With their places in the queue, the oldest first.
    pub(super) stories: Vec<(u64, Story)>,
    /// Events that were dropped since the last message.
    pub(super) dropped: u64,
}

/// The stories of one receiver.
#[derive(Debug)]
pub(super) struct Queue {
    stories: BTreeMap<u64, Story>,
    places: HashMap<Arc<str>, u64>,
    /// The places of the stories that end without an alarm: they are dropped first.
    calm: BTreeSet<u64>,
    next_place: u64,
    /// When which states of which subject were told.
    told: HashMap<Arc<str>, Vec<(Box<str>, Moment)>>,
    repeat_after: Duration,
    /// How many stories it holds at most.
    most: usize,
    /// Dropped since the receiver was last told how many.
    untold_drops: u64,
    dropped: u64,
}

impl Batch {
    /// How many events it is made of.
    pub(super) fn events(&self) -> u64 {
        self.stories.iter().map(|(_, story)| story.count).sum()
    }
}

impl Queue {
    pub(super) fn new(repeat_after: Duration, most: usize) -> Self {
        Self {
            stories: BTreeMap::new(),
            places: HashMap::new(),
            calm: BTreeSet::new(),
            next_place: 0,
            told: HashMap::new(),
            repeat_after,
            most,
            untold_drops: 0,
            dropped: 0,
        }
    }

    /// How many stories wait.
    pub(super) fn len(&self) -> usize {
        self.stories.len()
    }

    /// How many events were dropped so far because too much waited.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// One more event. If too much waits, the oldest story that does not end with an alarm is dropped, else the oldest of all.
    pub(super) fn push(&mut self, event: &Arc<Event>) {
        let story = Story::of(event);
        let place = self.places.get(&story.subject).copied();
        match place.and_then(|place| self.remove(place).zip(Some(place))) {
            Some((older, place)) => self.insert(place, older.followed_by(story)),
            None => {
                self.insert(self.next_place, story);
                self.next_place += 1;
            }
        }
        self.make_room();
    }

    /// When there is something to tell: at once for what was not told lately, later for what was.
    pub(super) fn next_due(&self, now: Moment) -> Option<Moment> {
        let mut next: Option<Moment> = None;
        for story in self.stories.values() {
            let due = self.due(story, now);
            if due <= now {
                return Some(now);
            }
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }

    /// Takes what is due, the oldest first, at most [`WEBHOOK_BATCH`].
    pub(super) fn take(&mut self, now: Moment) -> Option<Batch> {
        let is_due = |(_, story): &(&u64, &Story)| self.due(story, now) <= now;
        let due = self.stories.iter().filter(is_due).map(|(place, _)| *place);
        let places: Vec<u64> = due.take(WEBHOOK_BATCH).collect();
        let take = |place: u64| {
            let mut story = self.remove(place)?;
            story.tried.get_or_insert(now);
            Some((place, story))
        };
        let stories: Vec<(u64, Story)> = places.into_iter().filter_map(take).collect();
        (!stories.is_empty()).then_some(Batch { stories, dropped: self.untold_drops })
    }

    /// A batch was told.
    pub(super) fn accept(&mut self, batch: Batch, now: Moment) {
        self.untold_drops = self.untold_drops.saturating_sub(batch.dropped);
        if self.told.len().saturating_add(batch.stories.len()) > WEBHOOK_TOLD {
            let repeat_after = self.repeat_after;
            let is_fresh = |(_, at): &(Box<str>, Moment)| now.since(*at) < repeat_after;
            self.told.retain(|_, states| states.iter().any(is_fresh));
        }
        for (_, story) in batch.stories {
            // Beyond the bound something is told twice, which is better than to grow.
            if self.told.len() < WEBHOOK_TOLD {
                self.remember(&story, now);
            }
        }
    }

    /// A batch could not be told: it waits again, together with what came meanwhile. Gives the events that are given up because
    /// they were tried for too long.
    pub(super) fn put_back(&mut self, batch: Batch, now: Moment) -> u64 {
        let patience = Duration::from_secs(WEBHOOK_PATIENCE_SECONDS);
        let mut given_up = 0;
        for (place, story) in batch.stories {
            let newer = self.places.get(&story.subject).copied();
            let newer = newer.and_then(|place| self.remove(place));
            match newer {
                Some(newer) => self.insert(place, story.followed_by(newer)),
                None if story.tried.is_some_and(|tried| now.since(tried) >= patience) => {
                    given_up += story.count;
                }
                None => self.insert(place, story),
            }
        }
        self.make_room();
        given_up
    }

    fn due(&self, story: &Story, now: Moment) -> Moment {
        let Some(states) = self.told.get(&story.subject) else { return now };
        let state = state_of(&story.last.what);
        let told = states.iter().find(|(told, _)| **told == *state);
        told.map_or(now, |(_, at)| at.after(self.repeat_after))
    }

    fn remember(&mut self, story: &Story, now: Moment) {
        let states = self.told.entry(Arc::clone(&story.subject)).or_default();
        let state = state_of(&story.last.what);
        let repeat_after = self.repeat_after;
        states.retain(|(told, at)| **told != *state && now.since(*at) < repeat_after);
        states.push((state.into(), now));
    }

    fn insert(&mut self, place: u64, story: Story) {
        self.places.insert(Arc::clone(&story.subject), place);
        if !story.last.what.is_alarm() {
            self.calm.insert(place);
        }
        self.stories.insert(place, story);
    }

    fn remove(&mut self, place: u64) -> Option<Story> {
        let story = self.stories.remove(&place)?;
        self.places.remove(&story.subject);
        self.calm.remove(&place);
        Some(story)
    }

    fn make_room(&mut self) {
        while self.stories.len() > self.most {
            let place = self.calm.first().or_else(|| self.stories.keys().next()).copied();
            let Some(story) = place.and_then(|place| self.remove(place)) else { return };
            self.dropped += story.count;
            self.untold_drops += story.count;
        }
    }
}

impl Story {
    fn of(event: &Arc<Event>) -> Self {
        let subject = subject_of(&event.what).into();
        Self { subject, first: Arc::clone(event), last: Arc::clone(event), count: 1, tried: None }
    }

    /// One story of two of the same subject.
    fn followed_by(self, newer: Self) -> Self {
        Self { first: self.first, count: self.count + newer.count, ..newer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Happening;

    const REPEAT: Duration = Duration::from_secs(300);

    fn endpoint(number: u64, name: &str, to: &str) -> Arc<Event> {
        let what = Happening::Endpoint {
            target: name.to_owned(),
            pools: vec!["example.com/us".to_owned()],
            from: "up".to_owned(),
            to: to.to_owned(),
            reason: "connection refused".to_owned(),
            streak: 3,
        };
        Arc::new(Event { number, at_ms: number * 1_000, what })
    }

    fn queue(most: usize) -> Queue {
        Queue::new(REPEAT, most)
    }

    /// What a batch tells: the numbers of the first and the last event, and how many.
    fn told(batch: &Batch) -> Vec<(u64, u64, u64)> {
        let stories = batch.stories.iter();
        stories.map(|(_, story)| (story.first.number, story.last.number, story.count)).collect()
    }

    fn tell(queue: &mut Queue, now: Moment) -> Vec<(u64, u64, u64)> {
        let Some(batch) = queue.take(now) else { return Vec::new() };
        let shown = told(&batch);
        queue.accept(batch, now);
        shown
    }

    #[test]
    fn what_is_up_again_before_it_was_told_is_one_story() {
        let mut queue = queue(10);
        queue.push(&endpoint(1, "a", "down"));
        queue.push(&endpoint(2, "b", "down"));
        queue.push(&endpoint(3, "a", "up"));
        assert_eq!(tell(&mut queue, Moment(0)), [(1, 3, 2), (2, 2, 1)]);
        assert_eq!(queue.next_due(Moment(0)), None);
    }

    #[test]
    fn the_same_state_is_told_once_for_some_time_with_a_count_and_the_newest_state_in_the_end() {
        let mut queue = queue(10);
        queue.push(&endpoint(1, "a", "down"));
        assert_eq!(tell(&mut queue, Moment(0)), [(1, 1, 1)]);
        queue.push(&endpoint(2, "a", "up"));
        assert_eq!(tell(&mut queue, Moment(10_000)), [(2, 2, 1)]);
        for round in 0..5 {
            queue.push(&endpoint(3 + 2 * round, "a", "down"));
            queue.push(&endpoint(4 + 2 * round, "a", "up"));
            assert!(tell(&mut queue, Moment(20_000 + round)).is_empty());
        }
        // It ended up, as it was told at 10 s: that is due 300 s later.
        assert_eq!(queue.next_due(Moment(30_000)), Some(Moment(310_000)));
        queue.push(&endpoint(13, "a", "down"));
        // And that it is down was told at 0 s.
        assert_eq!(queue.next_due(Moment(30_000)), Some(Moment(300_000)));
        assert_eq!(tell(&mut queue, Moment(300_000)), [(3, 13, 11)]);
    }

    #[test]
    fn what_came_while_a_message_was_under_way_follows_it_or_is_merged_into_it() {
        for is_delivered in [true, false] {
            let mut queue = queue(10);
            queue.push(&endpoint(1, "a", "down"));
            let batch = queue.take(Moment(0)).unwrap();
            queue.push(&endpoint(2, "b", "down"));
            queue.push(&endpoint(3, "a", "up"));
            if is_delivered {
                queue.accept(batch, Moment(5));
                assert_eq!(tell(&mut queue, Moment(5)), [(2, 2, 1), (3, 3, 1)]);
            } else {
                assert_eq!(queue.put_back(batch, Moment(5)), 0);
                assert_eq!(tell(&mut queue, Moment(5)), [(1, 3, 2), (2, 2, 1)]);
            }
        }
    }

    #[test]
    fn a_full_queue_drops_the_oldest_that_is_no_alarm_and_tells_how_many() {
        let mut queue = queue(3);
        for (number, name, to) in
            [(1, "a", "down"), (2, "b", "up"), (3, "c", "up"), (4, "d", "down"), (5, "e", "down")]
        {
            queue.push(&endpoint(number, name, to));
        }
        assert_eq!((queue.len(), queue.dropped()), (3, 2));
        queue.push(&endpoint(6, "f", "up"));
        assert_eq!((queue.len(), queue.dropped()), (3, 3), "alarms stay");
        queue.push(&endpoint(7, "g", "down"));
        assert_eq!((queue.len(), queue.dropped()), (3, 4), "among alarms the oldest goes");
        let batch = queue.take(Moment(0)).unwrap();
        assert_eq!((told(&batch), batch.dropped), (vec![(4, 4, 1), (5, 5, 1), (7, 7, 1)], 4));
        assert_eq!(queue.put_back(batch, Moment(1)), 0);
        let batch = queue.take(Moment(2)).unwrap();
        assert_eq!(batch.dropped, 4, "it was not told yet");
        queue.accept(batch, Moment(2));
        queue.push(&endpoint(8, "h", "down"));
        assert_eq!(queue.take(Moment(3)).unwrap().dropped, 0);
    }

    #[test]
    fn after_an_hour_of_trying_it_is_given_up_unless_there_is_news() {
        let mut queue = queue(10);
        queue.push(&endpoint(1, "a", "down"));
        queue.push(&endpoint(2, "b", "down"));
        let hour = Moment(0).after(Duration::from_secs(WEBHOOK_PATIENCE_SECONDS));
        let batch = queue.take(Moment(0)).unwrap();
        assert_eq!(queue.put_back(batch, Moment(hour.0 - 1)), 0);
        let batch = queue.take(hour).unwrap();
        queue.push(&endpoint(3, "b", "up"));
        assert_eq!(queue.put_back(batch, hour), 1);
        assert_eq!(tell(&mut queue, hour), [(2, 3, 2)]);
    }

    /// Many subjects flap at random, and deliveries fail at random: every subject is heard of in order, and in the end its newest
    /// state is what was told last.
    #[test]
    fn every_receiver_hears_the_newest_state_last_and_in_order() {
        for seed in 0..200u64 {
            let mut random = seed;
            let mut draw = |below: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) % below
            };
            let mut queue = queue(100);
            let (mut newest, mut heard) = (HashMap::new(), HashMap::<String, (u64, String)>::new());
            let mut now = Moment(0);
            let mut settle = |queue: &mut Queue, now, fails: bool| {
                let Some(batch) = queue.take(now) else { return };
                if fails {
                    queue.put_back(batch, now);
                    return;
                }
                for (_, story) in &batch.stories {
                    let subject = story.subject.to_string();
                    let state = state_of(&story.last.what).into_owned();
                    let before = heard.insert(subject, (story.last.number, state));
                    let is_ordered = before.is_none_or(|before| before.0 < story.first.number);
                    assert!(is_ordered, "seed {seed}");
                }
                queue.accept(batch, now);
            };
            for number in 1..300 {
                now = now.after(Duration::from_secs(draw(40)));
                let name = format!("e{}", draw(10));
                let event = endpoint(number, &name, if draw(2) == 0 { "up" } else { "down" });
                queue.push(&event);
                newest
                    .insert(subject_of(&event.what), (number, state_of(&event.what).into_owned()));
                settle(&mut queue, now, draw(3) == 0);
            }
            for _ in 0..3 {
                now = now.after(REPEAT);
                settle(&mut queue, now, false);
            }
            assert_eq!((queue.len(), queue.dropped()), (0, 0), "seed {seed}");
            assert_eq!(heard, newest, "seed {seed}");
        }
    }
}
