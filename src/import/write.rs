//! A draft as text. Entries get their names here: the wanted one, or that with a type or a number behind it where another
//! entry has it; entries that say the same are one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::rc::Rc;

use super::draft::{Answer, Draft};
use super::text::{array, comment, key, one_or_many, quote, seconds};
use super::tree::{Check, Kind, Member, Node, Policy, Pool, Role, Tree};
use super::{Imported, Note, Severity};
use crate::wire::{Name, RecordType};

/// Longest line on which all of a name is written.
const LINE_CHARACTERS: usize = 120;

/// Prints a settled draft.
pub(super) fn write(draft: Draft) -> Imported {
    let mut writer = Writer::new(&draft);
    let ttl = writer.usual_ttl();
    let names = writer.write_names(ttl);
    let text = writer.assemble(ttl, &names);
    let mut notes: Vec<(Option<Name>, Note)> =
        draft.notes.iter().map(|owned| (owned.owner.clone(), owned.note.clone())).collect();
    notes.sort_by(|(one, _), (other, _)| one.cmp(other));
    Imported { text, notes: notes.into_iter().map(|(_, note)| note).collect() }
}

/// Origins of one entry that are printed; a check of a large zone can come from thousands.
const ORIGINS: usize = 5;

/// Entries of one kind, in the order they were needed.
#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    /// Where an entry is that was wanted under this name with these lines.
    places: HashMap<(String, String), usize>,
    /// The number that was last put behind a name.
    numbers: HashMap<String, u32>,
}

struct Entry {
    name: String,
    origins: BTreeSet<String>,
    lines: String,
}

struct Writer<'d> {
    draft: &'d Draft,
    checks: Entries,
    pools: Entries,
    policies: Entries,
    /// Names of pools and policies, which share one name space.
    taken: BTreeSet<String>,
    taken_checks: BTreeSet<String>,
    /// What each tree was called.
    placed: HashMap<*const Tree, String>,
}

impl<'d> Writer<'d> {
    fn new(draft: &'d Draft) -> Self {
        Self {
            draft,
            checks: Entries::default(),
            pools: Entries::default(),
            policies: Entries::default(),
            taken: BTreeSet::new(),
            taken_checks: BTreeSet::new(),
            placed: HashMap::new(),
        }
    }

    /// The TTL that most answers have.
    fn usual_ttl(&self) -> u32 {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for answer in self.draft.owners.values().flat_map(BTreeMap::values) {
            if let Answer::Records(ttl, _) = answer {
                let count = counts.entry(*ttl).or_default();
                *count = count.saturating_add(1);
            }
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map_or(300, |(ttl, _)| ttl)
    }

    fn assemble(&self, ttl: u32, names: &str) -> String {
        let apex = self.draft.apex.to_string();
        let apex = if self.draft.apex.is_root() { "." } else { apex.trim_end_matches('.') };
        let mut text = format!("# {}\n", comment(&self.draft.heading));
        for owned in self.draft.notes.iter().filter(|owned| !self.is_printed(&owned.owner)) {
            let _ = writeln!(text, "# {}", line_of(&owned.note, true));
        }
        let _ = write!(text, "zone = {}\nttl  = {}\n", quote(apex), quote(&seconds(ttl)));
        self.checks.print("check", &mut text);
        for (name, locations) in &self.draft.collections {
            let _ = writeln!(text, "\n[collection.{}]", key(name));
            for (location, prefixes) in locations {
                let _ = writeln!(text, "{} = {}", key(location), one_or_many(prefixes));
            }
        }
        self.pools.print("pool", &mut text);
        self.policies.print("policy", &mut text);
        text + "\n[names]\n" + names
    }

    fn is_printed(&self, owner: &Option<Name>) -> bool {
        owner.as_ref().is_some_and(|owner| self.draft.owners.contains_key(owner))
    }

    fn write_names(&mut self, usual: u32) -> String {
        let (mut lines, mut tables) = (String::new(), String::new());
        for (owner, answers) in &self.draft.owners {
            let fields = self.fields_of(answers, usual);
            let notes = self.draft.notes.iter().filter(|note| note.owner.as_ref() == Some(owner));
            let notes: String =
                notes.map(|owned| format!("# {}\n", line_of(&owned.note, false))).collect();
            let name = key(&owner.display_within(&self.draft.apex));
            let line = format!("{name} = {{ {} }}", fields.join(", "));
            if line.chars().count() <= LINE_CHARACTERS {
                let _ = writeln!(lines, "{notes}{line}");
            } else {
                let _ = writeln!(tables, "\n{notes}[names.{name}]\n{}", fields.join("\n"));
            }
        }
        lines + &tables
    }

    /// What stands between the braces of a name.
    fn fields_of(&mut self, answers: &BTreeMap<RecordType, Answer>, usual: u32) -> Vec<String> {
        if let Some(target) = self.whole_alias(answers) {
            return vec![format!("alias = {}", quote(&target))];
        }
        let mut fields = Vec::new();
        let whole = self.whole_route(answers);
        let name_ttl = whole.as_ref().map_or(usual, |(_, ttl, _)| *ttl);
        if let Some((field, ttl, _)) = &whole {
            fields.push(field.clone());
            if *ttl != usual {
                fields.push(format!("ttl = {}", quote(&seconds(*ttl))));
            }
        }
        let covered = whole.map(|(_, _, types)| types).unwrap_or_default();
        for (rtype, answer) in answers.iter().filter(|(rtype, _)| !covered.contains(rtype)) {
            fields.push(format!("{rtype} = {}", self.value_of(*rtype, answer, name_ttl)));
        }
        fields
    }

    /// The target of an owner all of whose types are aliases of all types of another.
    fn whole_alias(&self, answers: &BTreeMap<RecordType, Answer>) -> Option<String> {
        let mut targets: BTreeSet<&Name> = BTreeSet::new();
        for answer in answers.values() {
            let Answer::Alias(target) = answer else { return None };
            targets.insert(target);
        }
        let mut targets = targets.into_iter();
        let (target, None) = (targets.next()?, targets.next()) else { return None };
        let is_whole = self.draft.owners.get(target)?.keys().eq(answers.keys());
        is_whole.then(|| target.display_within(&self.draft.apex).into_owned())
    }

    /// One route for all addresses of a name: its field, TTL and types. None if it would answer a type that the name has not.
    fn whole_route(
        &mut self,
        answers: &BTreeMap<RecordType, Answer>,
    ) -> Option<(String, u32, BTreeSet<RecordType>)> {
        let addresses = [RecordType::A, RecordType::AAAA, RecordType::CNAME];
        let mut routes = BTreeMap::new();
        for rtype in addresses {
            match answers.get(&rtype) {
                Some(Answer::Route(ttl, tree)) => drop(routes.insert(rtype, (*ttl, tree))),
                Some(_) => return None,
                None => {}
            }
        }
        let (_, (ttl, tree)) = routes.first_key_value()?;
        let types = tree.types();
        let is_cname = types.iter().eq(&[RecordType::CNAME]);
        let is_one = routes
            .values()
            .all(|(t, other)| t == ttl && Rc::ptr_eq(other, tree) || (t, *other) == (ttl, *tree));
        let is_covered = is_cname || types.iter().all(|rtype| routes.contains_key(rtype));
        let (ttl, tree) = (*ttl, Rc::clone(tree));
        if !is_one || !is_covered {
            return None;
        }
        let field = self.route_field(&tree, None);
        Some((field, ttl, routes.keys().copied().collect()))
    }

    fn route_field(&mut self, tree: &Rc<Tree>, rtype: Option<RecordType>) -> String {
        let name = self.place(tree, rtype);
        match tree.node {
            Node::Pool(_) => format!("pool = {}", quote(&name)),
            Node::Policy(_) => format!("policy = {}", quote(&name)),
        }
    }

    fn value_of(&mut self, rtype: RecordType, answer: &Answer, name_ttl: u32) -> String {
        match answer {
            Answer::Records(ttl, data) if *ttl == name_ttl => one_or_many(data),
            Answer::Records(ttl, data) => {
                format!("{{ ttl = {}, data = {} }}", quote(&seconds(*ttl)), one_or_many(data))
            }
            Answer::Alias(target) => {
                format!("{{ alias = {} }}", quote(&target.display_within(&self.draft.apex)))
            }
            Answer::Route(ttl, tree) => {
                let field = self.route_field(tree, Some(rtype));
                if *ttl == name_ttl {
                    return format!("{{ {field} }}");
                }
                format!("{{ {field}, ttl = {} }}", quote(&seconds(*ttl)))
            }
        }
    }

    /// Writes the entries of a tree, and says what its first is called.
    fn place(&mut self, tree: &Rc<Tree>, rtype: Option<RecordType>) -> String {
        if let Some(name) = self.placed.get(&Rc::as_ptr(tree)) {
            return name.clone();
        }
        let body = match &tree.node {
            Node::Pool(pool) => self.pool_body(pool),
            Node::Policy(policy) => self.policy_body(&tree.name, policy, rtype),
        };
        let entries = match tree.node {
            Node::Pool(_) => &mut self.pools,
            Node::Policy(_) => &mut self.policies,
        };
        let name = entries.add(&tree.name, &BTreeSet::new(), body, &mut self.taken, rtype);
        self.placed.insert(Rc::as_ptr(tree), name.clone());
        name
    }

    fn place_check(&mut self, check: &Check, is_own: bool) -> String {
        let mut lines = Vec::new();
        if !check.children.is_empty() {
            let of = array(&self.place_children(check));
            lines.push(("calculated", format!("{{ of = {of}, {} }}", check.quorum)));
        }
        lines.extend(check.lines.iter().cloned());
        if let Some(address) = check.address.as_ref().filter(|_| !is_own) {
            let place = lines.iter().position(|(key, _)| *key == "every").unwrap_or(lines.len());
            lines.insert(place, ("address", quote(address)));
        }
        let body = aligned(&lines);
        self.checks.add(&check.name, &check.origins, body, &mut self.taken_checks, None)
    }

    /// The names of what a check is calculated from. Two that say the same stay two, or they would be counted once.
    fn place_children(&mut self, check: &Check) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(check.children.len());
        for (number, child) in (1usize..).zip(&check.children) {
            let mut name = self.place_check(child, false);
            if names.contains(&name) {
                let again = format!("{}-again-{number}", child.name);
                name = self.place_check(&Check { name: again, ..Check::clone(child) }, false);
            }
            names.push(name);
        }
        names
    }

    fn pool_body(&mut self, pool: &Pool) -> String {
        let mut lines: Vec<(String, String)> = Vec::new();
        if !pool.addresses.is_empty() {
            let addresses: Vec<String> = pool.addresses.iter().map(ToString::to_string).collect();
            lines.push(("addresses".to_owned(), array(&addresses)));
        }
        lines.extend(pool.cname.iter().map(|name| ("cname".to_owned(), quote(name))));
        let records = pool.records.iter();
        lines.extend(records.map(|(rtype, data)| (rtype.to_string(), one_or_many(data))));
        if let Some(check) = &pool.check {
            lines.push(("check".to_owned(), quote(&self.place_check(check, pool.probes_itself()))));
        }
        lines.extend(pool.min_up.iter().map(|value| ("min_up".to_owned(), value.clone())));
        aligned(&lines)
    }

    fn policy_body(&mut self, name: &str, policy: &Policy, rtype: Option<RecordType>) -> String {
        let mut lines = vec![("type".to_owned(), quote(policy.kind.name()))];
        let extra = policy.lines.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        lines.extend(extra);
        let members = self.place_members(name, policy, rtype);
        lines.extend(match policy.kind {
            Kind::Geolocation | Kind::Ip => place_lines(&members),
            _ => target_lines(&members),
        });
        if !policy.evaluate_health {
            lines.push(("evaluate_health".to_owned(), "false".to_owned()));
        }
        aligned(&lines)
    }

    /// The names of each member's targets. Where a policy may name a target only once, a second one gets an entry between.
    fn place_members<'p>(
        &mut self,
        name: &str,
        policy: &'p Policy,
        rtype: Option<RecordType>,
    ) -> Vec<(&'p Member, Vec<String>)> {
        let mut seen = BTreeSet::new();
        let mut members = Vec::new();
        let is_listed = !matches!(policy.kind, Kind::Geolocation | Kind::Ip);
        for member in &policy.members {
            let mut names: Vec<String> = Vec::new();
            for target in &member.targets {
                let target = self.place(target, rtype);
                if !names.contains(&target) {
                    names.push(target);
                }
            }
            let is_again =
                is_listed && names.first().is_some_and(|name| !seen.insert(name.clone()));
            if is_again && matches!(policy.kind, Kind::Failover | Kind::Multivalue) {
                continue;
            }
            if is_again {
                let between = format!("{name}-{}", super::text::slug(&member.label));
                let lines = [("type", quote("failover")), ("targets", array(&names))];
                let body = aligned(&lines);
                names = vec![self.policies.add(
                    &between,
                    &BTreeSet::new(),
                    body,
                    &mut self.taken,
                    rtype,
                )];
            }
            members.push((member, names));
        }
        members
    }
}

impl Entries {
    /// Adds an entry, and says what it is called. One that says the same under the same name is not repeated.
    fn add(
        &mut self,
        wanted: &str,
        origins: &BTreeSet<String>,
        lines: String,
        taken: &mut BTreeSet<String>,
        rtype: Option<RecordType>,
    ) -> String {
        let place = (wanted.to_owned(), lines.clone());
        let known = self.places.get(&place).and_then(|place| self.entries.get_mut(*place));
        if let Some(entry) = known {
            entry.origins.extend(origins.iter().cloned());
            return entry.name.clone();
        }
        let typed = rtype.map(|rtype| format!("{wanted}-{}", rtype.to_string().to_lowercase()));
        let last = self.numbers.entry(wanted.to_owned()).or_insert(1);
        let numbered = std::iter::repeat_with(|| {
            *last = last.saturating_add(1);
            format!("{wanted}-{last}")
        });
        let mut names = std::iter::once(wanted.to_owned()).chain(typed).chain(numbered);
        let name = names.find(|name| taken.insert(name.clone())).unwrap_or_default();
        self.places.insert(place, self.entries.len());
        self.entries.push(Entry { name: name.clone(), origins: origins.clone(), lines });
        name
    }

    fn print(&self, what: &str, text: &mut String) {
        for Entry { name, origins, lines } in &self.entries {
            text.push('\n');
            let shown: Vec<&str> = origins.iter().take(ORIGINS).map(String::as_str).collect();
            let more = origins.len().saturating_sub(ORIGINS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            if !shown.is_empty() {
                let _ = writeln!(text, "# Health check {}{more}", comment(&shown.join(", ")));
            }
            let _ = write!(text, "[{what}.{}]\n{lines}", key(name));
        }
    }
}

/// Keys and values, a line each, with the equals signs below each other.
fn aligned<K: AsRef<str>>(lines: &[(K, String)]) -> String {
    let width = lines.iter().map(|(key, _)| key.as_ref().len()).max().unwrap_or(0);
    lines.iter().map(|(key, value)| format!("{:width$} = {value}\n", key.as_ref())).collect()
}

/// A line for each place, the smallest kind first.
fn place_lines(members: &[(&Member, Vec<String>)]) -> Vec<(String, String)> {
    let lines = members.iter().filter_map(|(member, names)| match &member.role {
        Role::Place(place) => Some((place.clone(), one_or_many(names))),
        _ => None,
    });
    let mut lines: Vec<(String, String)> = lines.collect();
    let order = ["location.", "cidr.", "subdivision.", "country.", "continent."];
    let rank =
        |place: &str| order.iter().position(|kind| place.starts_with(kind)).unwrap_or(order.len());
    lines.sort_by_key(|(place, _)| (rank(place), place.clone()));
    lines
}

/// `weights`, or `targets` with what the policy knows about them.
fn target_lines(members: &[(&Member, Vec<String>)]) -> Vec<(String, String)> {
    let (mut weights, mut targets, mut locations) = (Vec::new(), Vec::new(), Vec::new());
    let (mut biases, mut regions, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for (member, names) in members {
        let Some(name) = names.first() else { continue };
        match &member.role {
            Role::Weight(weight) => weights.push(format!("{} = {weight}", key(name))),
            Role::Listed => targets.push(name.clone()),
            Role::Place(place) => last.push((place.clone(), quote(name))),
            Role::Near(location, bias) => {
                targets.push(name.clone());
                locations.push(format!("{} = {location}", key(name)));
                if *bias != 0 {
                    biases.push(format!("{} = {bias}", key(name)));
                }
            }
            Role::Region(region) => {
                targets.push(name.clone());
                regions.push(format!("{} = {}", key(name), quote(region)));
            }
        }
    }
    let mut lines = Vec::new();
    if !targets.is_empty() {
        lines.push(("targets".to_owned(), array(&targets)));
    }
    for (key, fields) in
        [("weights", weights), ("locations", locations), ("bias", biases), ("regions", regions)]
    {
        if !fields.is_empty() {
            lines.push((key.to_owned(), format!("{{ {} }}", fields.join(", "))));
        }
    }
    lines.extend(last);
    lines
}

/// A note as a comment.
fn line_of(note: &Note, has_subject: bool) -> String {
    let severity = match note.severity {
        Severity::Error => "error",
        Severity::Warning => "note",
    };
    let text = if has_subject { note.to_string() } else { note.reason.clone() };
    let subject = note.subject.rsplit(' ').next().unwrap_or_default();
    let is_type = !has_subject && subject.parse::<RecordType>().is_ok();
    let text = if is_type { format!("{subject}: {text}") } else { text };
    comment(&format!("{severity}: {text}"))
}
