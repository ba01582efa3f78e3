//! What became of queries, counted without sharing.
//!
//! Each UDP worker has a [`Tally`] of its own, which only it writes: a count is a plain load and store in its own cache lines.
//! A scrape adds the tallies up. A shared counter would cost more than the answer that it counts. Connections share one tally
//! per listener, with atomic additions: beside what TCP costs, those are nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::query::{Outcome, Transport};
use crate::wire::{Rcode, RecordType};

/// The response codes that are told apart; the last is for any other.
pub const RCODES: [Rcode; 8] = [
    Rcode::NOERROR,
    Rcode::FORMERR,
    Rcode::SERVFAIL,
    Rcode::NXDOMAIN,
    Rcode::NOTIMP,
    Rcode::REFUSED,
    Rcode::YXDOMAIN,
    Rcode::BADVERS,
];

/// The types that are told apart; any other, and no type at all, share the last place.
pub const TYPES: [RecordType; 11] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::SOA,
    RecordType::CNAME,
    RecordType::MX,
    RecordType::TXT,
    RecordType::SRV,
    RecordType::CAA,
    RecordType::HTTPS,
    RecordType::ANY,
];

/// Who writes a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// One thread.
    One,
    /// The tasks of a runtime.
    Many,
}

/// Whether a worker serves IPv4 or IPv6, and by which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub transport: Transport,
    pub is_ipv6: bool,
}

/// The counts of one worker.
#[derive(Debug)]
#[repr(align(128))]
pub struct Tally {
    origin: Origin,
    writers: Writers,
    requests: [AtomicU64; TYPES.len() + 1],
    responses: [AtomicU64; RCODES.len() + 1],
    silent: AtomicU64,
    truncated: AtomicU64,
    subnets: AtomicU64,
    last_resorts: AtomicU64,
    unsent: AtomicU64,
}

/// Sums over workers.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// By type; the last is any other.
    pub requests: [u64; TYPES.len() + 1],
    /// By response code; the last is any other.
    pub responses: [u64; RCODES.len() + 1],
    pub silent: u64,
    pub truncated: u64,
    pub subnets: u64,
    pub last_resorts: u64,
    pub unsent: u64,
}

impl Tally {
    fn new(origin: Origin, writers: Writers) -> Self {
        Self {
            origin,
            writers,
            requests: Default::default(),
            responses: Default::default(),
            silent: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            subnets: AtomicU64::new(0),
            last_resorts: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
        }
    }

    /// Counts one query.
    #[inline]
    pub fn count(&self, outcome: &Outcome) {
        let place =
            TYPES.iter().position(|known| outcome.qtype == Some(*known)).unwrap_or(TYPES.len());
        self.add(self.requests.get(place), 1);
        if outcome.octets == 0 {
            self.add(Some(&self.silent), 1);
            return;
        }
        let place = RCODES.iter().position(|known| outcome.rcode == *known).unwrap_or(RCODES.len());
        self.add(self.responses.get(place), 1);
        self.add(Some(&self.truncated), u64::from(outcome.is_truncated));
        self.add(Some(&self.subnets), u64::from(outcome.has_subnet));
        self.add(
            Some(&self.last_resorts),
            u64::from(outcome.pool.is_some_and(|(_, _, is_last_resort)| is_last_resort)),
        );
    }

    /// Counts datagrams that were dropped unread.
    pub fn count_silent(&self, datagrams: usize) {
        self.add(Some(&self.silent), u64::try_from(datagrams).unwrap_or(0));
    }

    /// Counts answers that the kernel did not take.
    pub fn count_unsent(&self, answers: usize) {
        self.add(Some(&self.unsent), u64::try_from(answers).unwrap_or(0));
    }

    /// Adds without a locked instruction where the tally has one writer.
    #[inline]
    fn add(&self, counter: Option<&AtomicU64>, count: u64) {
        let Some(counter) = counter.filter(|_| count != 0) else {
            return;
        };
        match self.writers {
            Writers::One => {
                counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed)
            }
            Writers::Many => {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    fn add_to(&self, totals: &mut Totals) {
        for (to, from) in totals.requests.iter_mut().zip(&self.requests) {
            *to += from.load(Ordering::Relaxed);
        }
        for (to, from) in totals.responses.iter_mut().zip(&self.responses) {
            *to += from.load(Ordering::Relaxed);
        }
        totals.silent += self.silent.load(Ordering::Relaxed);
        totals.truncated += self.truncated.load(Ordering::Relaxed);
        totals.subnets += self.subnets.load(Ordering::Relaxed);
        totals.last_resorts += self.last_resorts.load(Ordering::Relaxed);
        totals.unsent += self.unsent.load(Ordering::Relaxed);
    }
}

/// The tallies of all workers.
#[derive(Debug, Default)]
pub struct Counters {
    /// Locked when a worker begins and when metrics are scraped, never by a query.
    tallies: Mutex<Vec<Arc<Tally>>>,
}

impl Counters {
    /// A tally for one more worker or listener.
    pub fn tally(&self, origin: Origin, writers: Writers) -> Arc<Tally> {
        let tally = Arc::new(Tally::new(origin, writers));
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tally));
        tally
    }

    /// The sums for one kind of worker.
    pub fn totals(&self, origin: Origin) -> Totals {
        let mut totals = Totals::default();
        for tally in self.tallies.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if tally.origin == origin {
                tally.add_to(&mut totals);
            }
        }
        totals
    }
}
