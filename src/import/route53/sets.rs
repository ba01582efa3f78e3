//! A set of records as a tree (rules 6 to 47).

use std::collections::BTreeSet;
use std::rc::Rc;

use super::listing::{CidrRouting, RecordSet};
use super::places::{location_of, place_of};
use super::{ALIAS_TTL, Importer, Progress};
use crate::import::Severity;
use crate::import::text::slug;
use crate::import::tree::{Kind, Member, Pool, Role, Tree};
use crate::limits::{IMPORT_DEPTH, POLICY_VISITS};
use crate::wire::{Name, RecordType};

impl Importer<'_> {
    /// The tree of a set. That of an A set is that of the AAAA set too, if both say the same.
    pub(super) fn tree(&mut self, name: &Name, rtype: RecordType) -> Option<Rc<Tree>> {
        let one = self.own_tree(name, rtype)?;
        let other = match rtype {
            RecordType::A => RecordType::AAAA,
            RecordType::AAAA => RecordType::A,
            _ => return Some(one),
        };
        // While the other is in the making it leads here, which is no loop but can't be waited for.
        let is_under_way =
            matches!(self.trees.get(&(name.clone(), other)), Some(Progress::UnderWay));
        if is_under_way || self.members(name, other).is_empty() {
            return Some(one);
        }
        let Some(twin) = self.own_tree(name, other) else { return Some(one) };
        // The same order whichever was asked for, so that addresses stand in the same order.
        let merged = match rtype {
            RecordType::A => Tree::merge(&one, &twin),
            _ => Tree::merge(&twin, &one),
        };
        let Some(merged) = merged else { return Some(one) };
        for rtype in [rtype, other] {
            self.trees.insert((name.clone(), rtype), Progress::Done(Some(merged.clone())));
        }
        Some(merged)
    }

    fn own_tree(&mut self, name: &Name, rtype: RecordType) -> Option<Rc<Tree>> {
        let key = (name.clone(), rtype);
        match self.trees.get(&key) {
            Some(Progress::Done(tree)) => return tree.clone(),
            Some(Progress::UnderWay) => {
                let reason = "its aliases lead in a circle; the one that closes it is left out";
                self.draft.note(Severity::Error, name, rtype, reason);
                return None;
            }
            None => {}
        }
        if self.depth >= IMPORT_DEPTH {
            let reason = format!("its aliases are more than {IMPORT_DEPTH} deep; left out");
            self.draft.note(Severity::Error, name, rtype, reason);
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        self.trees.insert(key.clone(), Progress::UnderWay);
        let mut tree = self.make_tree(name, rtype).map(Rc::new);
        self.depth = self.depth.saturating_sub(1);
        if tree.as_ref().is_some_and(|tree| tree.size > POLICY_VISITS) {
            let reason = format!("its tree has more than {POLICY_VISITS} branches; left out");
            self.draft.note(Severity::Error, name, rtype, reason);
            tree = None;
        }
        self.trees.insert(key, Progress::Done(tree.clone()));
        tree
    }

    fn make_tree(&mut self, name: &Name, rtype: RecordType) -> Option<Tree> {
        let sets = self.members(name, rtype);
        let first = *sets.first()?;
        let entry = self.entry_name(name, "");
        let Some(kind) = kind_of(first) else {
            return self.target(name, rtype, first).map(|tree| Tree::clone(&tree));
        };
        let mut members: Vec<Member> = Vec::new();
        for set in sets {
            let role = self.role(name, rtype, kind, set);
            let target = role.as_ref().and_then(|_| self.target(name, rtype, set));
            let (Some(role), Some(target)) = (role, target) else { continue };
            let label = set.set_identifier.clone().unwrap_or_default();
            members.push(Member { label, role, targets: vec![target] });
        }
        if kind == Kind::Failover {
            members = self.in_order(name, rtype, members);
        }
        self.drop_repeated(name, rtype, kind, &mut members);
        if members.is_empty() {
            self.draft.note(Severity::Error, name, rtype, "nothing of the set is left");
            return None;
        }
        let mut tree = Tree::policy(entry, kind, members);
        if kind == Kind::Ip {
            self.add_collection(first, &mut tree);
        }
        self.note_kind(name, rtype, kind);
        Some(tree)
    }

    /// What is chosen with a record: a pool, or what its alias leads to.
    fn target(&mut self, name: &Name, rtype: RecordType, set: &RecordSet) -> Option<Rc<Tree>> {
        if let Some(alias) = &set.alias_target {
            return self.alias_tree(name, rtype, set, alias);
        }
        let data = self.data_of(name, rtype, set);
        if data.is_empty() {
            return None;
        }
        let mut pool = Pool { ttls: [set.ttl.unwrap_or(ALIAS_TTL)].into(), ..Pool::default() };
        match rtype {
            RecordType::A | RecordType::AAAA => {
                pool.addresses = data.iter().filter_map(|text| text.parse().ok()).collect();
            }
            RecordType::CNAME => pool.cname = data.into_iter().next(),
            _ => pool.records.push((rtype, data)),
        }
        if let Some(id) = set.health_check_id.as_ref().filter(|_| set.set_identifier.is_some()) {
            pool.check = self.checks.translate(id, &mut self.draft);
        }
        let label = set.set_identifier.as_deref().unwrap_or_default();
        Some(Rc::new(Tree::pool(self.entry_name(name, label), pool)))
    }

    /// What the policy knows about a record; nothing and a note if it is not one of the policy.
    fn role(
        &mut self,
        name: &Name,
        rtype: RecordType,
        kind: Kind,
        set: &RecordSet,
    ) -> Option<Role> {
        let role = match kind {
            _ if kind_of(set) != Some(kind) => Err(format!("the set is {}", kind.name())),
            Kind::Weighted => set
                .weight
                .and_then(|weight| u8::try_from(weight).ok())
                .map(Role::Weight)
                .ok_or_else(|| "its weight is not from 0 to 255".to_owned()),
            Kind::Failover => Ok(Role::Place(set.failover.clone().unwrap_or_default())),
            Kind::Multivalue => Ok(Role::Listed),
            Kind::Latency => Ok(Role::Region(set.region.clone().unwrap_or_default())),
            Kind::Geolocation => {
                set.geo_location.as_ref().map_or(Err(String::new()), place_of).map(Role::Place)
            }
            Kind::Geoproximity => near(set),
            Kind::Ip => self.cidr_place(set.cidr_routing_config.as_ref()).map(Role::Place),
        };
        let reason = match role {
            Ok(role) => return Some(role),
            Err(reason) => reason,
        };
        let label = set.set_identifier.as_deref().unwrap_or_default();
        let reason = format!("the record `{label}` is left out: {reason}");
        self.draft.note(Severity::Error, name, rtype, reason);
        None
    }

    /// Rule 18: the primary, then the secondary.
    fn in_order(&mut self, name: &Name, rtype: RecordType, members: Vec<Member>) -> Vec<Member> {
        let mut ordered: Vec<Member> = Vec::new();
        for wanted in ["PRIMARY", "SECONDARY"] {
            let wanted = Role::Place(wanted.to_owned());
            let found = members.iter().filter(|member| member.role == wanted);
            ordered.extend(found.cloned().map(|member| Member { role: Role::Listed, ..member }));
        }
        if ordered.len() < members.len() {
            let reason = "a failover record that is neither PRIMARY nor SECONDARY is left out";
            self.draft.note(Severity::Error, name, rtype, reason);
        }
        ordered
    }

    /// The same place twice, or an address twice in a multivalue set: the first counts.
    fn drop_repeated(
        &mut self,
        name: &Name,
        rtype: RecordType,
        kind: Kind,
        members: &mut Vec<Member>,
    ) {
        let mut seen = BTreeSet::new();
        let before = members.len();
        members.retain(|member| match &member.role {
            Role::Place(place) => seen.insert(place.clone()),
            _ if kind == Kind::Multivalue => {
                let mut is_new = true;
                for target in &member.targets {
                    target.for_each_pool(&mut |pool| {
                        for address in &pool.addresses {
                            is_new &= seen.insert(address.to_string());
                        }
                    });
                }
                is_new
            }
            _ => true,
        });
        if members.len() < before {
            let reason = "a place or an address stands in the set twice; the first counts";
            self.draft.note(Severity::Warning, name, rtype, reason);
        }
    }

    fn note_kind(&mut self, name: &Name, rtype: RecordType, kind: Kind) {
        let reason = match kind {
            Kind::Latency => {
                "Amazon's measurements are not public: the nearest region by distance is taken, unless the policy gets a `table` or measures"
            }
            Kind::Multivalue if !matches!(rtype, RecordType::A | RecordType::AAAA) => {
                "a multivalue set of this type; such policies take pools of addresses"
            }
            _ => return,
        };
        self.draft.note(Severity::Warning, name, rtype, reason);
    }

    /// The key of an `ip` policy (rule 43).
    fn cidr_place(&self, config: Option<&CidrRouting>) -> Result<String, String> {
        let config = config.ok_or_else(String::new)?;
        if config.location_name == "*" {
            return Ok("default".to_owned());
        }
        let missing =
            "give `aws route53 list-cidr-collections` and `list-cidr-blocks` as --cidr-collections";
        let collections = self.collections.as_ref().ok_or(missing)?;
        let (_, locations) = collections
            .get(&config.collection_id)
            .ok_or_else(|| format!("there is no CIDR collection {}", config.collection_id))?;
        if !locations.contains_key(&config.location_name) {
            return Err(format!(
                "there is no location `{}` in its collection",
                config.location_name
            ));
        }
        Ok(format!("location.{}", crate::import::text::key(&config.location_name)))
    }

    fn add_collection(&mut self, first: &RecordSet, tree: &mut Tree) {
        let crate::import::tree::Node::Policy(policy) = &mut tree.node else { return };
        let id = first.cidr_routing_config.as_ref().map(|config| config.collection_id.as_str());
        let found = id.zip(self.collections.as_ref()).and_then(|(id, known)| known.get(id));
        match found {
            Some((name, locations)) => {
                policy.lines.push(("collection", crate::import::text::quote(name)));
                self.draft.collections.insert(slug(name), locations.clone());
            }
            // What is left is the default alone.
            None => policy.kind = Kind::Geolocation,
        }
    }
}

fn near(set: &RecordSet) -> Result<Role, String> {
    let location = set.geo_proximity_location.as_ref().ok_or_else(String::new)?;
    let bias =
        i8::try_from(location.bias.unwrap_or(0)).ok().filter(|bias| (-99..=99).contains(bias));
    let bias = bias.ok_or("its bias is not from -99 to 99")?;
    Ok(Role::Near(location_of(location)?, bias))
}

/// How a set chooses, as one of its records says (rule 6); nothing for a simple record.
fn kind_of(set: &RecordSet) -> Option<Kind> {
    set.set_identifier.as_ref()?;
    let kinds = [
        (set.weight.is_some(), Kind::Weighted),
        (set.failover.is_some(), Kind::Failover),
        (set.geo_location.is_some(), Kind::Geolocation),
        (set.geo_proximity_location.is_some(), Kind::Geoproximity),
        (set.region.is_some(), Kind::Latency),
        (set.cidr_routing_config.is_some(), Kind::Ip),
        (set.multi_value_answer == Some(true), Kind::Multivalue),
    ];
    kinds.into_iter().find(|(is_set, _)| *is_set).map(|(_, kind)| kind)
}
