//! The sum of a run: how many pairs, what differed and why, and what nobody can explain.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::comparison::{Difference, Transport, compare, find_faults};
use super::decoding::Decoded;
use super::domain_name::DomainName;
use super::explanations::{Case, EXPLANATIONS};
use super::peers::{PEERS, PeerKind};
use super::query_generator::Query;
use super::rdata::mnemonic;
use super::zone_set::ZoneSet;

/// Dumps that are printed: the first ones are what one reads.
const DUMPS: usize = 6;
/// Records of the zones printed with a dump.
const EXCERPT: usize = 30;

/// The answers of all servers to one question.
struct Asked<'a> {
    set: &'a ZoneSet,
    query: &'a Query,
    transport: Transport,
    ours: &'a Decoded,
    /// As [`PEERS`].
    theirs: &'a [Decoded; 3],
    /// What the same four say over TCP, if one of them truncated its answer.
    whole: Option<&'a (Decoded, [Decoded; 3])>,
}

#[derive(Default)]
pub struct Report {
    pairs: usize,
    identical: BTreeMap<PeerKind, usize>,
    /// By the place of the explanation, and peer.
    explained: BTreeMap<(usize, PeerKind), usize>,
    unexplained: BTreeMap<PeerKind, usize>,
    /// Kinds of unexplained differences, and who differs from us in this way.
    kinds: BTreeMap<String, usize>,
    faults: usize,
    dumps: Vec<String>,
}

impl Report {
    /// Compares the answers to one question, ours first; ours may have been unreadable.
    pub fn take(
        &mut self,
        set: &ZoneSet,
        query: &Query,
        transport: Transport,
        decodes: &Result<(Decoded, [Decoded; 3]), String>,
        whole: Option<&(Decoded, [Decoded; 3])>,
    ) {
        self.pairs += 1;
        match decodes {
            Ok((ours, theirs)) => {
                self.compare(&Asked { set, query, transport, ours, theirs, whole });
            }
            Err(error) => {
                self.faults += 1;
                self.dumps.push(format!("{}\n  {error}", query.dig()));
            }
        }
    }

    fn compare(&mut self, asked: &Asked<'_>) {
        let (mut complaints, mut is_new) = (Vec::new(), false);
        for fault in find_faults(asked.set, asked.query, asked.transport, asked.ours) {
            self.faults += 1;
            is_new |= self.note(format!("fault: {}", first_words(&fault)));
            complaints.push(format!("fault: {fault}"));
        }
        let differences = asked.theirs.each_ref().map(|theirs| compare(asked.ours, theirs));
        for (place, peer) in PEERS.into_iter().enumerate() {
            let mut unexplained = 0;
            for difference in &differences[place] {
                let by_all = differences.iter().all(|others| others.contains(difference));
                if let Some(explanation) = explain(asked, place, difference, by_all) {
                    *self.explained.entry((explanation, peer)).or_default() += 1;
                    continue;
                }
                unexplained += 1;
                let who = if by_all { "all".to_owned() } else { peer.to_string() };
                is_new |= self.note(format!("{who}: {}", kind_of(difference)));
                complaints.push(format!("{who}: {difference}"));
            }
            *self.identical.entry(peer).or_default() += usize::from(differences[place].is_empty());
            *self.unexplained.entry(peer).or_default() += usize::from(unexplained > 0);
        }
        if is_new && self.dumps.len() < DUMPS {
            self.dumps.push(dump(asked, &complaints));
        }
    }

    /// Counts a complaint of this kind, and says whether it is the first.
    fn note(&mut self, kind: String) -> bool {
        let times = self.kinds.entry(kind).or_default();
        *times += 1;
        *times == 1
    }

    pub fn pairs(&self) -> usize {
        self.pairs
    }

    pub fn is_clean(&self) -> bool {
        self.faults == 0 && self.unexplained.values().all(|times| *times == 0)
    }

    /// The table, and what can't be explained.
    pub fn print(&self) -> String {
        let mut text = format!("{} pairs of a question and a set of zones\n", self.pairs);
        let count = |counts: &BTreeMap<PeerKind, usize>| {
            PEERS.map(|peer| format!("{:>8}", counts.get(&peer).copied().unwrap_or(0))).concat()
        };
        let _ = writeln!(text, "{:78}{}", "", PEERS.map(|peer| format!("{peer:>8}")).concat());
        let _ = writeln!(text, "{:78}{}", "identical", count(&self.identical));
        for (place, explanation) in EXPLANATIONS.iter().enumerate() {
            let uses: BTreeMap<PeerKind, usize> = PEERS
                .into_iter()
                .filter_map(|peer| Some((peer, *self.explained.get(&(place, peer))?)))
                .collect();
            let name = format!("{} ({})", explanation.name, explanation.source);
            let unused = if uses.is_empty() { "   never used" } else { "" };
            let _ = writeln!(text, "{name:78}{}{unused}", count(&uses));
        }
        let _ = writeln!(text, "{:78}{}", "unexplained", count(&self.unexplained));
        let _ = writeln!(text, "faults of ours by themselves: {}", self.faults);
        for (kind, times) in &self.kinds {
            let _ = writeln!(text, "{times:>7} × {kind}");
        }
        text + &self.dumps.concat()
    }
}

/// Which explanation holds. Where all peers differ from us in the same way, the same explanation for all of them must be one
/// that stands against all.
fn explain(
    asked: &Asked<'_>,
    place: usize,
    difference: &Difference,
    by_all: bool,
) -> Option<usize> {
    let found = [0, 1, 2].map(|peer| {
        (peer == place || by_all).then(|| find_explanation(asked, peer, difference)).flatten()
    });
    let own = found[place]?;
    let is_alone = !by_all || found.iter().any(|other| *other != Some(own));
    (is_alone || EXPLANATIONS[own].stands_against_all).then_some(own)
}

fn find_explanation(asked: &Asked<'_>, place: usize, difference: &Difference) -> Option<usize> {
    let case = Case {
        set: asked.set,
        query: asked.query,
        transport: asked.transport,
        ours: asked.ours,
        theirs: &asked.theirs[place],
        whole: asked.whole.map(|(ours, theirs)| (ours, &theirs[place])),
        peer: PEERS[place],
    };
    EXPLANATIONS.iter().position(|explanation| (explanation.holds)(&case, difference))
}

fn first_words(text: &str) -> String {
    text.split(' ').take(4).collect::<Vec<_>>().join(" ")
}

/// A difference without its particulars.
fn kind_of(difference: &Difference) -> String {
    match difference {
        Difference::Extra(section, set) => {
            format!("{section:?}: only ours has {}", mnemonic(set.rtype))
        }
        Difference::Missing(section, set) => {
            format!("{section:?}: only theirs has {}", mnemonic(set.rtype))
        }
        other => other.to_string(),
    }
}

/// Zone text, question and the four answers.
fn dump(asked: &Asked<'_>, complaints: &[String]) -> String {
    let mut text = format!("\n--- {} ({:?})\n", asked.query.dig(), asked.transport);
    let _ = writeln!(text, "{}", asked.set.name);
    for complaint in complaints {
        let _ = writeln!(text, "  {complaint}");
    }
    for line in excerpt(asked) {
        let _ = writeln!(text, "  | {line}");
    }
    let _ = write!(text, "  meridian: {}", asked.ours);
    for (peer, theirs) in PEERS.iter().zip(asked.theirs) {
        let _ = write!(text, "  {peer}: {theirs}");
    }
    text
}

/// Records at the names that the question and the answers mention, and at what encloses them.
fn excerpt(asked: &Asked<'_>) -> Vec<String> {
    let answers = asked.theirs.iter().chain([asked.ours]);
    let mut names: Vec<_> =
        answers.flat_map(|answer| &answer.answer).map(|set| set.owner.clone()).collect();
    let targets: Vec<_> = asked
        .theirs
        .iter()
        .chain([asked.ours])
        .flat_map(|answer| &answer.answer)
        .filter(|set| set.is_link())
        .flat_map(|set| set.data.iter().map(|data| DomainName::from_wire(data)))
        .collect();
    names.extend(targets);
    names.push(asked.query.name.folded());
    let mut lines = Vec::new();
    for zone in &asked.set.zones {
        let lines_of_zone = zone.rrsets().filter(|set| {
            let owner = set.owner.folded();
            owner == zone.apex.folded()
                || names.iter().any(|name| {
                    name.is_at_or_below(&owner)
                        || (owner.is_wildcard()
                            && owner.parent().is_some_and(|up| name.is_below(&up)))
                })
        });
        lines.extend(lines_of_zone.map(|set| {
            let data: Vec<_> = set.data.iter().take(4).map(|data| data.text.as_str()).collect();
            let rtype = mnemonic(set.rtype);
            format!("{} {} {rtype} {}", set.owner, set.ttl, data.join(" , "))
                .chars()
                .take(160)
                .collect()
        }));
    }
    lines.dedup();
    lines.truncate(EXCERPT);
    lines
}
