//! What an alias leads to: a set of the zone, or something of Amazon's outside of it (rules 48 to 55).

use std::rc::Rc;

use super::listing::{AliasTarget, RecordSet};
use super::{ALIAS_TTL, Importer, unescape};
use crate::import::Severity;
use crate::import::text::slug;
use crate::import::tree::{Kind, Node, Pool, Tree};
use crate::wire::{Name, RecordType};

/// What aliases outside of a zone lead to, by how its name ends.
const SERVICES: &[(&str, &str)] = &[
    ("elb.amazonaws.com", "a load balancer"),
    ("cloudfront.net", "a CloudFront distribution"),
    ("elasticbeanstalk.com", "an Elastic Beanstalk environment"),
    ("awsglobalaccelerator.com", "a global accelerator"),
    ("vpce.amazonaws.com", "a VPC endpoint"),
];

/// The zone of CloudFront, under which its distributions also have other names.
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";

impl Importer<'_> {
    /// The target of an alias, if that is a name of the zone with plain records or with an alias of its own to such.
    pub(super) fn plain_target(&self, alias: &AliasTarget, rtype: RecordType) -> Option<Name> {
        let target = name_of(alias)?;
        let mut last = target.clone();
        // As many as a chain can be long without a loop.
        for _ in 0..self.sets.len() {
            let members = self.members(&last, rtype);
            let [set] = members.as_slice() else { return None };
            match &set.alias_target {
                _ if set.set_identifier.is_some() => return None,
                None => return Some(target),
                Some(alias) => last = name_of(alias)?,
            }
        }
        None
    }

    /// The tree that a member's alias leads to; with a check of its own both must hold (rule 53).
    pub(super) fn alias_tree(
        &mut self,
        owner: &Name,
        rtype: RecordType,
        set: &RecordSet,
        alias: &AliasTarget,
    ) -> Option<Rc<Tree>> {
        let Some(target) = name_of(alias) else {
            let reason = format!("the alias target `{}` is no name; left out", alias.dns_name);
            self.draft.note(Severity::Error, owner, rtype, reason);
            return None;
        };
        let tree = if target.is_at_or_below(&self.draft.apex) {
            self.inner_alias(owner, rtype, &target, alias.evaluate_target_health)?
        } else {
            self.outer_alias(owner, rtype, alias, &target)
        };
        match &set.health_check_id {
            Some(id) if set.set_identifier.is_some() => {
                Some(self.guard(owner, rtype, set, &tree, id))
            }
            _ => Some(tree),
        }
    }

    fn inner_alias(
        &mut self,
        owner: &Name,
        rtype: RecordType,
        target: &Name,
        evaluates_health: bool,
    ) -> Option<Rc<Tree>> {
        if self.members(target, rtype).is_empty() {
            let reason = format!("its alias target {target} has no {rtype} records here; left out");
            self.draft.note(Severity::Error, owner, rtype, reason);
            return None;
        }
        let tree = self.tree(target, rtype)?;
        self.note_nesting(owner, rtype, &tree, evaluates_health);
        Some(if evaluates_health { tree } else { tree.always_up() })
    }

    /// Rule 51 asks whether anything of the target is up, here it is asked whether anything is up for this client.
    fn note_nesting(
        &mut self,
        owner: &Name,
        rtype: RecordType,
        tree: &Tree,
        evaluates_health: bool,
    ) {
        let Node::Policy(policy) = &tree.node else { return };
        let is_placed = matches!(policy.kind, Kind::Geolocation | Kind::Ip);
        let is_routed = self.members(owner, rtype).iter().any(|set| set.set_identifier.is_some());
        if is_placed && is_routed && evaluates_health {
            let name = &tree.name;
            let reason = format!(
                "the nested policy `{name}` counts as up if it has something up for the client that asks; in Route 53 something up for anybody is enough"
            );
            self.draft.note(Severity::Warning, owner, rtype, reason);
        }
    }

    /// What is not in the zone is reached by its name.
    fn outer_alias(
        &mut self,
        owner: &Name,
        rtype: RecordType,
        alias: &AliasTarget,
        target: &Name,
    ) -> Rc<Tree> {
        let target = target.to_string();
        let end = target.trim_end_matches('.');
        let service = SERVICES.iter().find(|(suffix, _)| end.ends_with(suffix));
        let service = match service {
            Some((_, service)) => service,
            None if alias.hosted_zone_id == CLOUDFRONT_ZONE => "a CloudFront distribution",
            None if end.contains("s3-website") => "a website in S3",
            None if end.contains("execute-api") => "an API gateway",
            None => "something outside of the zone",
        };
        let health = if alias.evaluate_target_health { ", and always counts as up" } else { "" };
        let reason = format!(
            "the alias to {service}, {target}, is given as a CNAME, which holds for all types{health}"
        );
        self.draft.note(Severity::Warning, owner, rtype, reason);
        let first = end.trim_start_matches("dualstack.").split('.').next().unwrap_or_default();
        let pool =
            Pool { cname: Some(target.clone()), ttls: [ALIAS_TTL].into(), ..Pool::default() };
        Rc::new(Tree::pool(slug(first), pool))
    }

    /// An alias with a check of its own: the check is the pool's, where the alias leads to one that has none.
    fn guard(
        &mut self,
        owner: &Name,
        rtype: RecordType,
        set: &RecordSet,
        tree: &Rc<Tree>,
        id: &str,
    ) -> Rc<Tree> {
        let pool = match &tree.node {
            Node::Pool(pool) if pool.check.is_none() => pool,
            _ => {
                let reason = format!(
                    "the health check {id} of an alias to a policy is left out: the health of what is in the policy decides"
                );
                self.draft.note(Severity::Error, owner, rtype, reason);
                return tree.clone();
            }
        };
        let check = self.checks.translate(id, &mut self.draft);
        let name = self.entry_name(owner, set.set_identifier.as_deref().unwrap_or_default());
        Rc::new(Tree::pool(name, Pool { check, ..pool.clone() }))
    }

    /// What an entry for a member of an owner is called.
    pub(super) fn entry_name(&self, owner: &Name, label: &str) -> String {
        let owner = slug(&owner.display_within(&self.draft.apex));
        let label = if label.is_empty() { String::new() } else { slug(label) };
        match label.strip_prefix(&owner) {
            _ if label.is_empty() => owner,
            // Many identifiers repeat the name.
            Some(rest) if rest.starts_with('-') => label,
            _ => slug(&format!("{owner}-{label}")),
        }
    }
}

fn name_of(alias: &AliasTarget) -> Option<Name> {
    let name = Name::parse(&unescape(&alias.dns_name), &Name::root()).ok()?;
    (!name.is_root()).then(|| name.to_folded())
}
