//! A hosted zone of Amazon Route 53, from what the AWS command line prints.
//!
//! | file | owns |
//! |---|---|
//! | `listing` | the JSON |
//! | `sets` | a set of records, all of one name and type, as a tree: rules 6 to 58 |
//! | `alias` | what an alias leads to |
//! | `checks` | health checks: rules 59 to 74 |
//! | `places` | places, coordinates, CIDR collections |
//!
//! A record set with its set identifiers becomes a policy; a plain record in it becomes a pool, and an alias leads to the
//! policy of its target, whose EvaluateTargetHealth is `evaluate_health`. Trees of A and AAAA that say the same become one.

mod alias;
mod checks;
mod listing;
mod places;
mod sets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

pub(super) use places::coordinates_of;

use super::draft::{Answer, Draft, parse_zone, route_ttl};
use super::tree::Tree;
use super::{ImportError, Imported, Severity, write};
use crate::wire::{Name, RecordType};
use checks::Checks;
use listing::{HealthChecks, Listing, RecordSet};
use places::Collections;

/// TTL of what has none: an alias outside of the zone takes its target's, which nobody told us. Amazon's load balancers
/// have this one.
const ALIAS_TTL: u32 = 60;

/// Everything that Route 53 says about a zone, in JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route53<'j> {
    /// `aws route53 list-resource-record-sets --hosted-zone-id …`
    pub records: &'j str,
    /// `aws route53 list-health-checks`
    pub health_checks: Option<&'j str>,
    /// `aws route53 list-cidr-collections`, followed by `list-cidr-blocks --collection-id …` for each collection in its order.
    pub cidr_collections: Option<&'j str>,
    /// The zone; the owner of the SOA unless given.
    pub zone: Option<&'j str>,
}

/// All sets of a zone: by name and type, the members in the order of the listing.
type Sets<'l> = BTreeMap<Name, BTreeMap<RecordType, Vec<&'l RecordSet>>>;

/// Turns a hosted zone into a zone file.
///
/// # Errors
/// Texts that are no such JSON, and a zone that nobody names.
pub fn import_route53(input: Route53<'_>) -> Result<Imported, ImportError> {
    let listing: Listing = read_json(input.records, "list-resource-record-sets")?;
    let health_checks = input.health_checks.map(|text| read_json(text, "list-health-checks"));
    let health_checks: Option<HealthChecks> = health_checks.transpose()?;
    let collections = input.cidr_collections.map(|text| {
        places::read_collections(text)
            .map_err(|error| ImportError::new(format!("CIDR collections: {error}")))
    });
    let apex = match input.zone {
        Some(zone) => parse_zone(zone)?,
        None => guess_zone(&listing)?,
    };
    let mut importer = Importer {
        draft: Draft::new(apex.clone(), "From Route 53 by `meridian import route53`."),
        sets: Sets::new(),
        checks: Checks::new(health_checks.as_ref().map(|listing| &*listing.health_checks)),
        collections: collections.transpose()?,
        trees: HashMap::new(),
        depth: 0,
    };
    if listing.is_truncated || listing.next_token.is_some() {
        let reason = "it is one page of several: the rest of the zone is missing";
        importer.draft.note_thing(Severity::Error, "the listing", reason);
    }
    importer.sort(&listing.resource_record_sets);
    importer.answer_all();
    importer.note_servers();
    importer.draft.settle();
    Ok(write::write(importer.draft))
}

fn read_json<'j, T: serde::Deserialize<'j>>(text: &'j str, what: &str) -> Result<T, ImportError> {
    serde_json::from_str(text)
        .map_err(|error| ImportError::new(format!("this is not what `{what}` prints: {error}")))
}

fn guess_zone(listing: &Listing) -> Result<Name, ImportError> {
    let soa = listing.resource_record_sets.iter().find(|set| set.rtype == "SOA");
    let soa = soa.ok_or_else(|| ImportError::new("which zone is it? say so with --zone"))?;
    parse_zone(&unescape(&soa.name))
}

/// Octal escapes, as Route 53 writes them in names and texts, as the decimal ones of RFC 1035 §5.1.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = after.get(..3).filter(|digits| digits.bytes().all(|d| d.is_ascii_digit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        rest = match (octet, after.chars().next()) {
            (Some(octet), _) => {
                let c = char::from(octet);
                if c.is_ascii_alphanumeric() || matches!(c, '*' | '-' | '_') {
                    plain.push(c);
                } else {
                    plain.push_str(&format!("\\{octet:03}"));
                }
                after.get(3..).unwrap_or_default()
            }
            (None, Some(c)) => {
                plain.extend(['\\', c]);
                after.get(c.len_utf8()..).unwrap_or_default()
            }
            (None, None) => after,
        };
    }
    plain + rest
}

/// The state of a conversion.
struct Importer<'l> {
    draft: Draft,
    sets: Sets<'l>,
    checks: Checks<'l>,
    /// Nothing without the file.
    collections: Option<Collections>,
    /// The trees of sets, and whether they are still in the making.
    trees: HashMap<(Name, RecordType), Progress>,
    /// How many sets are in the making.
    depth: usize,
}

#[derive(Clone)]
enum Progress {
    UnderWay,
    Done(Option<Rc<Tree>>),
}

impl<'l> Importer<'l> {
    fn sort(&mut self, listing: &'l [RecordSet]) {
        for set in listing {
            let name =
                Name::parse(&unescape(&set.name), &Name::root()).map(|name| name.to_folded());
            let subject = format!("{} {}", set.name, set.rtype);
            let (Ok(name), Ok(rtype)) = (name, set.rtype.parse::<RecordType>()) else {
                self.draft.note_thing(
                    Severity::Error,
                    subject,
                    "no such name or type is known; left out",
                );
                continue;
            };
            if !name.is_at_or_below(&self.draft.apex) {
                self.draft.note_thing(Severity::Error, subject, "it is not in the zone; left out");
                continue;
            }
            for key in set.others.keys() {
                let reason = format!("`{key}` is not known here, and is left out");
                self.draft.note(Severity::Warning, &name, rtype, reason);
            }
            if set.traffic_policy_instance_id.is_some() {
                let reason =
                    "a traffic policy made it; what it made is carried over, not the policy";
                self.draft.note(Severity::Warning, &name, rtype, reason);
            }
            self.sets.entry(name).or_default().entry(rtype).or_default().push(set);
        }
    }

    fn answer_all(&mut self) {
        let keys: Vec<(Name, RecordType)> = self
            .sets
            .iter()
            .flat_map(|(name, types)| types.keys().map(|rtype| (name.clone(), *rtype)))
            .collect();
        for (name, rtype) in keys {
            if let Some(answer) = self.answer(&name, rtype) {
                self.draft.set(&name, rtype, answer);
            }
        }
    }

    /// What a name answers for a type.
    fn answer(&mut self, name: &Name, rtype: RecordType) -> Option<Answer> {
        let members = self.members(name, rtype);
        let first = *members.first()?;
        if first.set_identifier.is_none() && members.len() == 1 {
            if first.health_check_id.is_some() {
                let reason = "its health check is left out: a set with one record has nothing to fail over to";
                self.draft.note(Severity::Warning, name, rtype, reason);
            }
            match &first.alias_target {
                None => {
                    let data = self.data_of(name, rtype, first);
                    let ttl = first.ttl.unwrap_or(ALIAS_TTL);
                    return (!data.is_empty()).then_some(Answer::Records(ttl, data));
                }
                Some(alias) => {
                    if let Some(target) = self.plain_target(alias, rtype) {
                        return Some(Answer::Alias(target));
                    }
                }
            }
        }
        let tree = self.tree(name, rtype)?;
        Some(Answer::Route(route_ttl(&tree, ALIAS_TTL), tree))
    }

    fn members(&self, name: &Name, rtype: RecordType) -> Vec<&'l RecordSet> {
        self.sets.get(name).and_then(|types| types.get(&rtype)).cloned().unwrap_or_default()
    }

    /// The data of a record, names absolute, as Route 53 takes them.
    fn data_of(&mut self, name: &Name, rtype: RecordType, set: &RecordSet) -> Vec<String> {
        let values = set.resource_records.iter().map(|record| unescape(&record.value));
        let values: Vec<String> = values.collect();
        self.draft.read_all(name, rtype, &values, &Name::root())
    }

    fn note_servers(&mut self) {
        let apex = self.draft.apex.clone();
        let Some(Answer::Records(_, servers)) =
            self.draft.owners.get(&apex).and_then(|answers| answers.get(&RecordType::NS))
        else {
            return;
        };
        if servers.iter().any(|server| server.contains(".awsdns-")) {
            let reason = "NS and SOA name Amazon's servers: put your own in their place";
            self.draft.note(Severity::Warning, &apex, RecordType::NS, reason);
        }
    }
}
