//! Pools and policies as a tree that names lead to, before its entries have names of their own.
//!
//! Branches are shared: two names that lead to one policy hold the same [`Rc`]. [`Tree::merge`] makes one tree of those
//! for A and for AAAA where both say the same, since a zone file's pools hold both families.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use crate::wire::RecordType;

/// A pool or a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    /// What the entry should be called; it may get a suffix.
    pub(super) name: String,
    pub(super) node: Node,
    /// Entries that a walk over all of it visits, shared ones each time.
    pub(super) size: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Pool(Pool),
    Policy(Policy),
}

/// What is handed out together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pool {
    pub(super) addresses: Vec<IpAddr>,
    /// In the place of addresses: a name in presentation format, with its dot.
    pub(super) cname: Option<String>,
    /// Data of other types in presentation format.
    pub(super) records: Vec<(RecordType, Vec<String>)>,
    pub(super) check: Option<Rc<Check>>,
    /// The value of `min_up` as it is written.
    pub(super) min_up: Option<String>,
    /// The TTLs that these had before.
    pub(super) ttls: BTreeSet<u32>,
}

/// A key with its value in TOML.
pub(super) type Line = (&'static str, String);

/// A check: what it should be called, and its lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Check {
    pub(super) name: String,
    /// What it was called before, printed above it: identifiers of health checks.
    pub(super) origins: BTreeSet<String>,
    pub(super) lines: Vec<Line>,
    /// What was probed before, if that was said. Written only for a pool that has anything else.
    pub(super) address: Option<String>,
    /// What it is calculated from; nothing for most.
    pub(super) children: Vec<Rc<Check>>,
    /// How many of them must be up, as it is written.
    pub(super) quorum: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Weighted,
    Failover,
    Geolocation,
    Geoproximity,
    Latency,
    Multivalue,
    Ip,
}

impl Kind {
    /// The `type` of the policy.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Failover => "failover",
            Self::Geolocation => "geolocation",
            Self::Geoproximity => "geoproximity",
            Self::Latency => "latency",
            Self::Multivalue => "multivalue",
            Self::Ip => "ip",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Policy {
    pub(super) kind: Kind,
    pub(super) members: Vec<Member>,
    /// Whether it counts as down with everything in it down (Route 53's EvaluateTargetHealth).
    pub(super) evaluate_health: bool,
    /// More lines: keys with their values in TOML.
    pub(super) lines: Vec<(&'static str, String)>,
}

/// A branch of a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// What tells it from its siblings: a set identifier, a place.
    pub(super) label: String,
    pub(super) role: Role,
    /// Several only where a place takes a list.
    pub(super) targets: Vec<Rc<Tree>>,
}

/// What its policy knows about a branch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// Only its place in the order counts.
    Listed,
    Weight(u8),
    /// A key of the policy such as `continent.EU`, `default` or `location.telia`.
    Place(String),
    /// A location as it is written in TOML, and a bias.
    Near(String, i8),
    /// The region of a latency table.
    Region(String),
}

impl Tree {
    pub(super) fn pool(name: String, pool: Pool) -> Self {
        Self { name, node: Node::Pool(pool), size: 1 }
    }

    pub(super) fn policy(name: String, kind: Kind, members: Vec<Member>) -> Self {
        let targets = members.iter().flat_map(|member| &member.targets);
        let size = targets.fold(1usize, |sum, target| sum.saturating_add(target.size));
        let policy = Policy { kind, members, evaluate_health: true, lines: Vec::new() };
        Self { name, node: Node::Policy(policy), size }
    }

    /// Targets in the order of preference.
    pub(super) fn failover(name: String, targets: Vec<Rc<Tree>>) -> Self {
        let members = targets.into_iter().map(|target| {
            let label = target.name.clone();
            Member { label, role: Role::Listed, targets: vec![target] }
        });
        Self::policy(name, Kind::Failover, members.collect())
    }

    /// The same, counting as up whatever the health of what is in it (Route 53's EvaluateTargetHealth false). A pool stays as it is.
    pub(super) fn always_up(self: &Rc<Self>) -> Rc<Self> {
        let Node::Policy(policy) = &self.node else { return self.clone() };
        let node = Node::Policy(Policy { evaluate_health: false, ..policy.clone() });
        Rc::new(Self { name: format!("{}-always", self.name), node, ..Self::clone(self) })
    }

    /// One tree for both, if they differ in what their pools hold only.
    pub(super) fn merge(one: &Rc<Self>, other: &Rc<Self>) -> Option<Rc<Self>> {
        if Rc::ptr_eq(one, other) || one == other {
            return Some(one.clone());
        }
        if one.name != other.name {
            return None;
        }
        let node = match (&one.node, &other.node) {
            (Node::Pool(one), Node::Pool(other)) => Node::Pool(one.merge(other)?),
            (Node::Policy(one), Node::Policy(other)) => Node::Policy(one.merge(other)?),
            _ => return None,
        };
        Some(Rc::new(Self { name: one.name.clone(), node, size: one.size }))
    }

    /// Calls this for every pool, shared ones more than once.
    pub(super) fn for_each_pool(&self, look: &mut dyn FnMut(&Pool)) {
        match &self.node {
            Node::Pool(pool) => look(pool),
            Node::Policy(policy) => {
                let targets = policy.members.iter().flat_map(|member| &member.targets);
                targets.for_each(|target| target.for_each_pool(look));
            }
        }
    }

    /// The types that its pools hold.
    pub(super) fn types(&self) -> BTreeSet<RecordType> {
        let mut types = BTreeSet::new();
        self.for_each_pool(&mut |pool| {
            let families = pool.addresses.iter();
            types.extend(
                families.map(
                    |address| {
                        if address.is_ipv4() { RecordType::A } else { RecordType::AAAA }
                    },
                ),
            );
            types.extend(pool.cname.iter().map(|_| RecordType::CNAME));
            types.extend(pool.records.iter().map(|(rtype, _)| *rtype));
        });
        types
    }

    /// The TTLs that its records had.
    pub(super) fn ttls(&self) -> BTreeSet<u32> {
        let mut ttls = BTreeSet::new();
        self.for_each_pool(&mut |pool| ttls.extend(&pool.ttls));
        ttls
    }

    /// The tree without pools of this kind, as far as anything is left.
    pub(super) fn without(
        self: &Rc<Self>,
        is_unwanted: &dyn Fn(&Pool) -> bool,
    ) -> Option<Rc<Self>> {
        let policy = match &self.node {
            Node::Pool(pool) => return (!is_unwanted(pool)).then(|| self.clone()),
            Node::Policy(policy) => policy,
        };
        let members = policy.members.iter().filter_map(|member| {
            let targets = member.targets.iter().filter_map(|target| target.without(is_unwanted));
            let targets: Vec<Rc<Self>> = targets.collect();
            (!targets.is_empty()).then(|| Member { targets, ..member.clone() })
        });
        let members: Vec<Member> = members.collect();
        if members.is_empty() {
            return None;
        }
        let node = Node::Policy(Policy { members, ..policy.clone() });
        Some(Rc::new(Self { node, ..Self::clone(self) }))
    }
}

impl Pool {
    /// Whether the check probes nothing but what is handed out.
    pub(super) fn probes_itself(&self) -> bool {
        let address = self.check.as_ref().and_then(|check| check.address.as_deref());
        let Some(address) = address else { return true };
        let probed = address.parse::<IpAddr>();
        probed.is_ok_and(|probed| {
            !self.addresses.is_empty() && self.addresses.iter().all(|address| *address == probed)
        })
    }

    /// One check for both: the same, or two that say the same of the endpoints of each.
    fn merge_checks(&self, other: &Self) -> Option<Option<Rc<Check>>> {
        let (one, two) = match (&self.check, &other.check) {
            (None, None) => return Some(None),
            (Some(one), Some(two)) => (one, two),
            _ => return None,
        };
        if one == two {
            return Some(Some(one.clone()));
        }
        let is_like = one.lines == two.lines
            && one.children == two.children
            && one.quorum == two.quorum
            && self.probes_itself()
            && other.probes_itself();
        let mut merged = Check { address: None, ..Check::clone(one) };
        merged.origins.extend(two.origins.clone());
        is_like.then(|| Some(Rc::new(merged)))
    }

    fn merge(&self, other: &Self) -> Option<Self> {
        let check = self.merge_checks(other)?;
        let is_same = self.cname == other.cname
            && self.min_up == other.min_up
            && self.records == other.records;
        let mut merged = Self { check, ..self.clone() };
        for address in &other.addresses {
            if !merged.addresses.contains(address) {
                merged.addresses.push(*address);
            }
        }
        merged.ttls.extend(&other.ttls);
        is_same.then_some(merged)
    }
}

impl Policy {
    fn merge(&self, other: &Self) -> Option<Self> {
        let is_same = self.kind == other.kind
            && self.evaluate_health == other.evaluate_health
            && self.lines == other.lines
            && self.members.len() == other.members.len();
        if !is_same {
            return None;
        }
        let members = self.members.iter().map(|member| {
            let twin = other.members.iter().find(|it| it.label == member.label)?;
            member.merge(twin)
        });
        Some(Self { members: members.collect::<Option<_>>()?, ..self.clone() })
    }
}

impl Member {
    fn merge(&self, other: &Self) -> Option<Self> {
        if self.role != other.role || self.targets.len() != other.targets.len() {
            return None;
        }
        let targets = self.targets.iter().zip(&other.targets);
        let targets = targets.map(|(one, other)| Tree::merge(one, other));
        let targets = targets.collect::<Option<_>>()?;
        Some(Self { label: self.label.clone(), role: self.role.clone(), targets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(name: &str, address: &str) -> Rc<Tree> {
        let addresses = vec![address.parse().unwrap()];
        Rc::new(Tree::pool(name.to_owned(), Pool { addresses, ..Pool::default() }))
    }

    fn weighted(members: &[(&str, u8, &Rc<Tree>)]) -> Rc<Tree> {
        let members = members.iter().map(|(label, weight, target)| Member {
            label: (*label).to_owned(),
            role: Role::Weight(*weight),
            targets: vec![(*target).clone()],
        });
        Rc::new(Tree::policy("w".to_owned(), Kind::Weighted, members.collect()))
    }

    #[test]
    fn families_of_one_shape_are_merged() {
        let (a, b) = (pool("us", "192.0.2.1"), pool("eu", "192.0.2.2"));
        let (a6, b6) = (pool("us", "2001:db8::1"), pool("eu", "2001:db8::2"));
        let one = weighted(&[("us", 1, &a), ("eu", 2, &b)]);
        let merged = Tree::merge(&one, &weighted(&[("eu", 2, &b6), ("us", 1, &a6)])).unwrap();
        assert_eq!(merged.types(), [RecordType::A, RecordType::AAAA].into());
        for other in [
            weighted(&[("us", 1, &a6), ("eu", 3, &b6)]),
            weighted(&[("us", 1, &a6)]),
            weighted(&[("us", 1, &a6), ("ap", 2, &b6)]),
            a6.clone(),
        ] {
            assert_eq!(Tree::merge(&one, &other), None);
        }
    }

    #[test]
    fn what_cannot_be_served_is_cut_off() {
        let alias = Tree::pool(
            "cdn".to_owned(),
            Pool { cname: Some("cdn.example.".to_owned()), ..Pool::default() },
        );
        let tree = weighted(&[("us", 1, &pool("us", "192.0.2.1")), ("cdn", 2, &Rc::new(alias))]);
        let cut = tree.without(&|pool| pool.cname.is_some()).unwrap();
        assert_eq!(cut.types(), [RecordType::A].into());
        assert_eq!(cut.without(&|_| true), None);
    }
}
