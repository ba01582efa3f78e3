//! The log of events: gives each its number and its time, keeps the last of them, and passes them on.
//!
//! Events come from the prober's tasks, so that nothing here waits: the state directory and every listener have a bounded queue,
//! and what finds one full is dropped there and counted. One short lock keeps numbers, memory and queues in the same order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::state::State;
use crate::health::{Event, Happening};
use crate::limits::{EVENTS_KEPT, LISTENER_EVENTS};
use crate::sys::unix_ms;

/// See the module.
#[derive(Debug)]
pub struct Journal {
    log: Mutex<Log>,
    /// Nothing: events are forgotten with the process.
    state: Option<Arc<State>>,
}

#[derive(Debug, Default)]
struct Log {
    /// In order of their numbers; [`EVENTS_KEPT`] at most.
    events: VecDeque<Arc<Event>>,
    /// The number of the last event; 0 before the first.
    last: u64,
    listeners: Vec<mpsc::Sender<Arc<Event>>>,
    dropped: u64,
}

impl Journal {
    /// A journal that goes on from events that are remembered.
    pub fn new(recalled: Vec<Event>, state: Option<Arc<State>>) -> Self {
        let last = recalled.last().map_or(0, |event| event.number);
        let surplus = recalled.len().saturating_sub(EVENTS_KEPT);
        let events = recalled.into_iter().skip(surplus).map(Arc::new).collect();
        Self { log: Mutex::new(Log { events, last, ..Log::default() }), state }
    }

    /// Takes down what happened just now. Never waits.
    pub fn record(&self, what: Happening) -> Arc<Event> {
        let mut log = self.lock();
        log.last += 1;
        let event = Arc::new(Event { number: log.last, at_ms: unix_ms(), what });
        if log.events.len() >= EVENTS_KEPT {
            log.events.pop_front();
        }
        log.events.push_back(Arc::clone(&event));
        log.tell(&event);
        if let Some(state) = &self.state {
            state.keep_event(Event::clone(&event));
        }
        event
    }

    /// Every event from now on, as long as the receiver keeps up: what finds [`LISTENER_EVENTS`] before it is dropped.
    pub fn listen(&self) -> mpsc::Receiver<Arc<Event>> {
        let (sender, receiver) = mpsc::channel(LISTENER_EVENTS);
        self.lock().listeners.push(sender);
        receiver
    }

    /// The first events that are kept after this number, in order.
    pub fn after(&self, number: u64, most: usize) -> Vec<Arc<Event>> {
        let log = self.lock();
        let first = log.events.partition_point(|event| event.number <= number);
        log.events.iter().skip(first).take(most).cloned().collect()
    }

    /// The last events that are kept, in order.
    pub fn latest(&self, most: usize) -> Vec<Arc<Event>> {
        let log = self.lock();
        log.events.iter().skip(log.events.len().saturating_sub(most)).cloned().collect()
    }

    /// Events that some listener did not get because it was too slow.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // Every step leaves a usable log.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn tell(&mut self, event: &Arc<Event>) {
        let mut dropped = 0;
        self.listeners.retain(|listener| match listener.try_send(Arc::clone(event)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                dropped += 1;
                true
            }
            Err(TrySendError::Closed(_)) => false,
        });
        self.dropped += dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_the_last_events_are_kept() {
        let before = Event { number: 41, at_ms: 7, what: Happening::Sighted };
        let journal = Journal::new(vec![before.clone()], None);
        for _ in 0..EVENTS_KEPT + 5 {
            journal.record(Happening::Sighted);
        }
        let all = journal.after(0, usize::MAX);
        let last = 41 + EVENTS_KEPT as u64 + 5;
        assert_eq!((all.len(), all[0].number), (EVENTS_KEPT, last + 1 - EVENTS_KEPT as u64));
        assert!(all.windows(2).all(|two| two[0].number + 1 == two[1].number));
        let numbers = |events: Vec<Arc<Event>>| -> Vec<u64> {
            events.iter().map(|event| event.number).collect()
        };
        assert_eq!(numbers(journal.after(last - 2, 10)), [last - 1, last]);
        assert_eq!(numbers(journal.after(last - 5, 2)), [last - 4, last - 3]);
        assert_eq!(numbers(journal.latest(2)), [last - 1, last]);
        assert!(journal.after(last, 10).is_empty());
    }

    #[test]
    fn a_listener_that_is_slow_loses_events_and_nobody_waits() {
        let journal = Journal::new(Vec::new(), None);
        let (mut slow, gone) = (journal.listen(), journal.listen());
        drop(gone);
        for _ in 0..LISTENER_EVENTS + 3 {
            journal.record(Happening::Sighted);
        }
        assert_eq!(journal.dropped(), 3);
        assert_eq!(slow.try_recv().unwrap().number, 1);
        let next = journal.record(Happening::Sighted).number;
        let got: Vec<u64> = std::iter::from_fn(|| slow.try_recv().ok()).map(|e| e.number).collect();
        assert_eq!((got.len(), *got.last().unwrap()), (LISTENER_EVENTS, next));
    }
}
