//! Runs a test of a zone file: asks the engine as its clients would, and compares.
//!
//! A question whose answer depends on no draw is asked once. Any other is asked [`DRAWS`] times, [`SHARE_DRAWS`] if shares are
//! to be measured, always from the same seed, so that a test gives the same result today and tomorrow. A branch that takes one
//! answer in 700 stays unseen in 10,000 draws once in a million times.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::engine::{Client, Engine, Outcome, Scratch, Transport};
use super::explain::{ExplainError, Inquiry, encode_query};
use super::readback::{ReadAnswer, read_answer};
use super::shares::{Comparison, SHARE_DRAWS};
use super::story::{Stage, Story};
use crate::config::{AnswerRecord, Expectation, Share, Statement, TestCase};
use crate::limits::{ANSWER_ENDPOINTS, UDP_ANSWER_OCTETS};
use crate::policy::{Chosen, PoolId, Step, Target, Trace};
use crate::wire::{ClientSubnet, Rcode, RecordType};
use crate::zone::{ZoneId, presentation};

/// Draws for what must hold whatever is drawn.
const DRAWS: u32 = 10_000;

/// Begins the draws of every question.
pub const SEED: u64 = 1;

/// A statement that does not hold.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Which one, by its place in [`TestCase::statements`].
    pub statement: usize,
    /// The question whose answer shows it.
    pub inquiry: Inquiry,
    /// What must be: a value, or each of several on its own.
    pub expected: Vec<String>,
    /// What was answered, in the same form.
    pub found: Vec<String>,
    /// How it was found out, if that is not plain.
    pub remark: Option<String>,
}

/// The pool that the first selection of an answer came to.
type Choice = Option<(ZoneId, PoolId)>;

/// Asks every question of a test. What is wrong comes back; of each statement and question the first instance.
///
/// # Errors
/// An answer could not be read back, which would be our mistake.
pub fn verify(
    engine: &Engine<'_>,
    zone: ZoneId,
    test: &TestCase,
) -> Result<Vec<Mismatch>, ExplainError> {
    let mut mismatches = Vec::new();
    for inquiry in inquiries(test) {
        let mut trial = Trial { engine, zone, test, inquiry: &inquiry, found: BTreeMap::new() };
        trial.run()?;
        mismatches.extend(trial.found.into_values());
    }
    Ok(mismatches)
}

/// Every name with every client.
fn inquiries(test: &TestCase) -> impl Iterator<Item = Inquiry> {
    let subnets: Vec<_> = if test.clients.is_empty() {
        vec![None]
    } else {
        test.clients.iter().copied().map(Some).collect()
    };
    test.names.iter().flat_map(move |name| {
        let (name, qtype, resolver) = (name.clone(), test.qtype, test.resolver);
        let inquiry =
            move |subnet| Inquiry { name: name.clone(), qtype, subnet, resolver, seed: SEED };
        subnets.clone().into_iter().map(inquiry)
    })
}

/// One question of a test.
struct Trial<'a> {
    engine: &'a Engine<'a>,
    zone: ZoneId,
    test: &'a TestCase,
    inquiry: &'a Inquiry,
    /// The first mismatch of each statement.
    found: BTreeMap<usize, Mismatch>,
}

impl Trial<'_> {
    /// Asks until nothing new can come, and judges each different answer once.
    fn run(&mut self) -> Result<(), ExplainError> {
        let test = self.test;
        let measures =
            test.statements.iter().any(|s| matches!(s.expectation, Expectation::Shares(_)));
        let draws = if measures { SHARE_DRAWS } else { DRAWS };
        let mut asker = Asker::new(self.engine, self.inquiry);
        let mut counts: BTreeMap<Choice, u32> = BTreeMap::new();
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        for _ in 0..draws {
            let reply = asker.ask();
            let count = counts.entry(reply.choice).or_default();
            let is_new = *count == 0 || !seen.contains(reply.octets);
            *count = if reply.is_settled { draws } else { count.saturating_add(1) };
            if is_new {
                self.judge(&reply)?;
                seen.insert(reply.octets.to_vec());
            }
            if reply.is_settled {
                break;
            }
        }
        for (index, statement) in test.statements.iter().enumerate() {
            if let Expectation::Shares(shares) = &statement.expectation {
                self.judge_shares(index, shares, draws, &counts);
            }
        }
        Ok(())
    }

    fn judge(&mut self, reply: &Reply<'_>) -> Result<(), ExplainError> {
        let answer = read_answer(reply.octets).map_err(ExplainError)?;
        for (index, statement) in self.test.statements.iter().enumerate() {
            if self.found.contains_key(&index) {
                continue;
            }
            if let Some((expected, found)) = self.compare(statement, reply, &answer) {
                let remark = reply.is_truncated.then(|| "the answer was truncated".to_owned());
                self.report(index, expected, found, remark);
            }
        }
        Ok(())
    }

    fn report(
        &mut self,
        statement: usize,
        expected: Vec<String>,
        found: Vec<String>,
        remark: Option<String>,
    ) {
        let inquiry = self.inquiry.clone();
        self.found.insert(statement, Mismatch { statement, inquiry, expected, found, remark });
    }

    /// What a statement expects and what came instead; nothing if it holds.
    fn compare(
        &self,
        statement: &Statement,
        reply: &Reply<'_>,
        answer: &ReadAnswer,
    ) -> Option<(Vec<String>, Vec<String>)> {
        let differ = |expected: String, found: String| {
            (expected != found).then(|| (vec![expected], vec![found]))
        };
        let lowest = || answer.answers.iter().map(|record| record.ttl).min();
        match &statement.expectation {
            Expectation::Pools(pools) => self.compare_pools(pools, reply),
            Expectation::Shares(_) => None,
            Expectation::Scope(scope) => differ(format!("/{scope}"), show_scope(answer.scope)),
            Expectation::Answer(records) => compare_records(records, answer),
            Expectation::Rcode(rcode) => {
                differ(rcode.mnemonic().to_owned(), reply.rcode.mnemonic().to_owned())
            }
            Expectation::Ttl(ttl) => differ(
                format!("{} s", ttl.as_seconds()),
                lowest().map_or("no records".to_owned(), |seconds| format!("{seconds} s")),
            ),
        }
    }

    fn compare_pools(
        &self,
        pools: &[PoolId],
        reply: &Reply<'_>,
    ) -> Option<(Vec<String>, Vec<String>)> {
        let is_expected = pools.iter().any(|pool| reply.choice == Some((self.zone, *pool)));
        let names = pools.iter().map(|pool| self.show_choice(Some((self.zone, *pool))));
        let expected = names.collect::<Vec<_>>().join(" or ");
        (!is_expected).then(|| (vec![expected], vec![self.show_choice(reply.choice)]))
    }

    fn judge_shares(
        &mut self,
        index: usize,
        shares: &[(PoolId, Share)],
        draws: u32,
        counts: &BTreeMap<Choice, u32>,
    ) {
        let count_of = |pool| counts.get(&Some((self.zone, pool))).copied().unwrap_or(0);
        let comparison = Comparison::new(shares, draws, count_of);
        if comparison.is_sound() {
            return;
        }
        let expected = shares.iter().map(|(pool, share)| {
            let name = self.show_choice(Some((self.zone, *pool)));
            format!("{name} {:.2}%", f64::from(share.0) / 100.0)
        });
        let found = counts.iter().map(|(choice, count)| {
            let share = 100.0 * f64::from(*count) / f64::from(draws);
            format!("{} {share:.2}%", self.show_choice(*choice))
        });
        let remark = if comparison.has_stranger {
            format!("{draws} draws, seed {SEED}: something was chosen that has no share")
        } else {
            let Comparison { sum, limit, .. } = comparison;
            format!(
                "{draws} draws, seed {SEED}: chi-squared is {sum:.1}, at most {limit:.1} is chance"
            )
        };
        let (expected, found) = (expected.collect(), found.collect());
        self.report(index, expected, found, Some(remark));
    }

    fn show_choice(&self, choice: Choice) -> String {
        let Some((zone, pool)) = choice else {
            return "no pool".to_owned();
        };
        let snapshot = self.engine.snapshot;
        let name = snapshot
            .routing(zone)
            .map_or("?", |routing| routing.named.target_name(Target::Pool(pool)));
        match snapshot.catalog.zone(zone).filter(|_| zone != self.zone) {
            Some(other) => format!("{name} of the zone {}", other.apex),
            None => name.to_owned(),
        }
    }
}

fn show_scope(scope: Option<u8>) -> String {
    scope.map_or("no scope".to_owned(), |scope| format!("/{scope}"))
}

/// Compares answer sections as sets. Both come back in full, so that they can be shown side by side.
fn compare_records(
    expected: &[AnswerRecord],
    answer: &ReadAnswer,
) -> Option<(Vec<String>, Vec<String>)> {
    let key = |rtype: RecordType, rdata: &[u8]| {
        (rtype.0, presentation::comparable(rtype, rdata).into_owned())
    };
    let wanted: BTreeSet<_> =
        expected.iter().map(|record| key(record.rtype, &record.rdata)).collect();
    let found: BTreeSet<_> =
        answer.answers.iter().map(|record| key(record.rtype, &record.rdata)).collect();
    let show = |records: BTreeSet<(u16, Vec<u8>)>| -> Vec<String> {
        let show = |(rtype, rdata): (u16, Vec<u8>)| {
            let rtype = RecordType(rtype);
            format!("{rtype} {}", presentation::print_rdata(rtype, &rdata))
        };
        records.into_iter().map(show).collect()
    };
    (wanted != found).then(|| (show(wanted), show(found)))
}

/// What came of one draw.
struct Reply<'a> {
    octets: &'a [u8],
    rcode: Rcode,
    choice: Choice,
    is_truncated: bool,
    /// Every further answer would be the same, but for the order of its records.
    is_settled: bool,
}

/// Asks one question again and again, each time with new draws.
struct Asker<'a> {
    engine: &'a Engine<'a>,
    message: Vec<u8>,
    client: Client,
    scratch: Scratch,
    out: [u8; UDP_ANSWER_OCTETS],
}

impl<'a> Asker<'a> {
    fn new(engine: &'a Engine<'a>, inquiry: &Inquiry) -> Self {
        let subnet =
            inquiry.subnet.map(|(address, length)| ClientSubnet::from_prefix(address, length));
        Self {
            engine,
            message: encode_query(&inquiry.name, inquiry.qtype, subnet.as_ref()),
            client: Client { address: inquiry.resolver, transport: Transport::Udp },
            scratch: Scratch::new(inquiry.seed),
            out: [0; UDP_ANSWER_OCTETS],
        }
    }

    fn ask(&mut self) -> Reply<'_> {
        let mut witness = Witness::default();
        let Self { engine, message, client, scratch, out } = self;
        let outcome = engine.answer_aloud(scratch, message, *client, out, &mut witness);
        let is_settled = !witness.has_drawn && !deals_out(engine, &outcome);
        Reply {
            octets: out.get(..outcome.octets).unwrap_or_default(),
            rcode: outcome.rcode,
            choice: witness.first.flatten(),
            is_truncated: outcome.is_truncated,
            is_settled,
        }
    }
}

/// Whether the pool has more endpoints than an answer hands out, so that each answer has others.
fn deals_out(engine: &Engine<'_>, outcome: &Outcome) -> bool {
    let pool = outcome
        .pool
        .and_then(|(zone, target, _)| engine.snapshot.routing(zone)?.bound.handout(target));
    pool.is_some_and(|pool| pool.endpoints.len() > ANSWER_ENDPOINTS)
}

/// Keeps of a story what a test asks about, at little cost.
#[derive(Default)]
struct Witness {
    zone: Option<ZoneId>,
    /// The outcome of the first selection, once there was one.
    first: Option<Choice>,
    has_drawn: bool,
}

impl Trace for Witness {
    fn note(&mut self, _: usize, step: Step) {
        self.has_drawn |= matches!(step, Step::Draw { .. });
    }
}

impl Story for Witness {
    fn stage(&mut self, stage: Stage<'_>) {
        match stage {
            Stage::Route { zone, .. } => self.zone = Some(zone),
            Stage::Selected { chosen, .. } if self.first.is_none() => {
                // A multivalue policy hands out several pools as one, so that none of them was chosen.
                let pool = chosen.and_then(Chosen::target).and_then(|target| match target {
                    Target::Pool(pool) => Some(pool),
                    Target::Policy(_) => None,
                });
                self.first = Some(self.zone.zip(pool));
            }
            _ => {}
        }
    }
}
