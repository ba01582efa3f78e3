//! Routes of a name: which types they answer, and what may not stand beside them.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::diagnostic::{Findings, Span};
use super::document::Document;
use super::names::{Owner, TypedRoute};
use super::pool::Pool as TypedPool;
use super::routing::Connected;
use super::serial::hash_name;
use super::value::list;
use crate::policy::{Pool, PoolId, Route, Routing, Rule, Target};
use crate::wire::RecordType;

const ADDRESSES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// What one choice can come to: a pool, or all pools of a multivalue policy.
#[derive(Debug)]
pub(super) struct Leaf {
    name: Box<str>,
    types: BTreeSet<RecordType>,
}

/// Compiles the routes of an owner, without those that have a mistake.
pub(super) fn compile(
    owner: &Owner<'_>,
    document: &Document<'_>,
    connected: &mut Connected<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Route> {
    let mut routes: Vec<(Route, Span)> = Vec::with_capacity(owner.routes.len());
    for typed in &owner.routes {
        let Some(target) = connected.route(typed, findings) else { continue };
        let leaves = connected.leaves_below(target);
        if leaves.iter().any(|leaf| leaf.types.contains(&RecordType::CNAME)) {
            check_kinds(owner, typed, target, &connected.routing, document, findings);
        }
        let Some(types) = types_of(owner, typed, &leaves, findings) else { continue };
        if types != [RecordType::CNAME] {
            check_records(owner, typed, &types, findings);
            warn_lacking(owner, typed, &types, &leaves, findings);
        }
        check_routes(owner, typed, &types, &routes, findings);
        warn_together(typed, &types, findings);
        let route = Route {
            target,
            ttl: typed.ttl.or(owner.ttl).unwrap_or(document.ttl),
            ttl_floor: document.ttl_floor,
            types: types.into(),
            together: typed.together.is_some(),
            name_key: hash_name(&owner.name.value),
        };
        routes.push((route, typed.target.span.clone()));
    }
    routes.into_iter().map(|(route, _)| route).collect()
}

/// Leaves of all targets together that are kept while routes are compiled.
const LEAVES_KEPT: usize = 100_000;

impl Connected<'_> {
    /// Everything that a selection below a target can hand out. Looked up once: a million names may have one policy.
    fn leaves_below(&mut self, target: Target) -> Rc<[Leaf]> {
        if let Some(known) = self.leaves.get(&target) {
            return Rc::clone(known);
        }
        let leaves: Rc<[Leaf]> = find_leaves(&self.routing, target).into();
        // Many thin policies over a wide one would keep what it has once for each of them.
        if self.leaves.values().map(|kept| kept.len()).sum::<usize>() > LEAVES_KEPT {
            self.leaves.clear();
        }
        self.leaves.insert(target, Rc::clone(&leaves));
        leaves
    }
}

/// The leaves of a tree, in order of name. The search ends also where policies loop.
fn find_leaves(routing: &Routing, target: Target) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![target];
    while let Some(target) = open.pop() {
        if !seen.insert(target) {
            continue;
        }
        match target {
            Target::Pool(id) => {
                leaves.extend(routing.pool(id).map(|pool| leaf(&pool.name, [pool])))
            }
            Target::Policy(id) => {
                let Some(policy) = routing.policy(id) else { continue };
                let Rule::Multivalue(pools) = &policy.rule else {
                    open.extend(policy.targets());
                    continue;
                };
                let pools = pools.iter().filter_map(|id| routing.pool(*id));
                leaves.push(leaf(&policy.name, pools));
                open.extend(policy.targets().into_iter().skip(policy.rule.targets().len()));
            }
        }
    }
    leaves.sort_by(|one: &Leaf, other| one.name.cmp(&other.name));
    leaves
}

fn leaf<'r>(name: &str, pools: impl IntoIterator<Item = &'r Pool>) -> Leaf {
    let endpoints = pools.into_iter().flat_map(|pool| &pool.endpoints);
    Leaf { name: name.into(), types: endpoints.map(|endpoint| endpoint.rtype).collect() }
}

/// The types that a route answers: its own, or all that its pools have, A and AAAA both if there are any addresses.
fn types_of(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    leaves: &[Leaf],
    findings: &mut Findings<'_>,
) -> Option<Vec<RecordType>> {
    let mut types: BTreeSet<RecordType> =
        leaves.iter().flat_map(|leaf| &leaf.types).copied().collect();
    let is_alias = types.contains(&RecordType::CNAME);
    if ADDRESSES.iter().any(|address| types.contains(address)) {
        types.extend(ADDRESSES);
    }
    let Some(rtype) = &typed.rtype else {
        let only = is_alias.then(|| vec![RecordType::CNAME]);
        return Some(only.unwrap_or_else(|| types.into_iter().collect()));
    };
    let (name, wanted) = (&owner.name.value, rtype.value);
    if is_alias {
        findings
            .error(
                typed.target.span.clone(),
                format!("{name} would have a CNAME for {wanted} alone"),
            )
            .label("it hands out a CNAME")
            .help("a CNAME answers every type: give the whole name to it, outside of the braces");
        return None;
    }
    if !types.contains(&wanted) {
        let known: Vec<String> = types.iter().map(ToString::to_string).collect();
        let error = findings.error(
            typed.target.span.clone(),
            format!("`{}` has no {wanted} records to give", typed.target.value),
        );
        error.related(rtype.span.clone(), "asked for here");
        // Without any, the mistake was in the pools.
        error.help_if(
            (!known.is_empty())
                .then(|| format!("its pools have {}", list(known.iter().map(String::as_str)))),
        );
        return None;
    }
    Some(vec![wanted])
}

/// Records beside a route that makes some of the same type.
fn check_records(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    types: &[RecordType],
    findings: &mut Findings<'_>,
) {
    let name = &owner.name.value;
    for (rtype, records) in
        types.iter().filter_map(|rtype| Some((rtype, owner.records_of(*rtype)?)))
    {
        let is_address = ADDRESSES.contains(rtype);
        let (what, help) = if is_address && typed.rtype.is_none() {
            ("A and AAAA".to_owned(), "make a pool of these addresses, or remove the route")
        } else {
            (rtype.to_string(), "put these records into the pools, or take them out of there")
        };
        findings
            .error(records.rtype.span.clone(), format!("{name} has {rtype} records beside a route"))
            .related(typed.target.span.clone(), format!("the route makes {what} records"))
            .help(help);
    }
}

/// No two routes answer the same type.
fn check_routes(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    types: &[RecordType],
    earlier: &[(Route, Span)],
    findings: &mut Findings<'_>,
) {
    for (route, other) in earlier {
        // A CNAME answers everything.
        let shared = match (types, &*route.types) {
            ([RecordType::CNAME], others) | (others, [RecordType::CNAME]) => others.first(),
            (types, others) => types.iter().find(|rtype| others.contains(rtype)),
        };
        let Some(rtype) = shared else { continue };
        let name = &owner.name.value;
        findings
            .error(typed.target.span.clone(), format!("{name} has two routes for {rtype}"))
            .related(other.clone(), "this one answers it, too")
            .help("write a route for each type, or one for the whole name");
    }
}

fn warn_together(typed: &TypedRoute<'_>, types: &[RecordType], findings: &mut Findings<'_>) {
    if let (Some(together), [only]) = (&typed.together, types) {
        findings
            .warning(together.span.clone(), "`together` does nothing here")
            .label(format!("the route answers {only} alone"));
    }
}

/// Types that some pools have and others lack: clients that are sent to those get no data. As for addresses, a pool of one
/// family alone is usual.
fn warn_lacking(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    types: &[RecordType],
    leaves: &[Leaf],
    findings: &mut Findings<'_>,
) {
    let is_address = |rtype: &RecordType| ADDRESSES.contains(rtype);
    let others = types.iter().filter(|rtype| !is_address(rtype));
    for rtype in others {
        let lacking = leaves.iter().filter(|leaf| !leaf.types.contains(rtype));
        warn_lack(owner, typed, &format!("{rtype} records"), lacking, findings);
    }
    if types.iter().any(is_address) {
        let lacking = leaves.iter().filter(|leaf| !leaf.types.iter().any(is_address));
        warn_lack(owner, typed, "addresses", lacking, findings);
    }
}

fn warn_lack<'l>(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    what: &str,
    lacking: impl Iterator<Item = &'l Leaf>,
    findings: &mut Findings<'_>,
) {
    let names: Vec<&str> = lacking.map(|leaf| &*leaf.name).collect();
    if names.is_empty() {
        return;
    }
    let message = format!("some clients get no {what} of {}", owner.name.value);
    let verb = if names.len() == 1 { "has" } else { "have" };
    findings
        .warning(typed.target.span.clone(), message)
        .label(format!("{} {verb} none", list(names)));
}

/// A route makes either CNAMEs or other records; its name may hold nothing that contradicts that.
fn check_kinds(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    target: Target,
    routing: &Routing,
    document: &Document<'_>,
    findings: &mut Findings<'_>,
) {
    let name = &owner.name.value;
    let below = routing.pools_below(target);
    let (aliases, others): (Vec<PoolId>, Vec<PoolId>) =
        below.into_iter().partition(|id| pool_of(document, *id).is_some_and(|p| p.cname.is_some()));
    let Some(alias) = aliases.first().and_then(|id| pool_of(document, *id)) else {
        return;
    };
    if let Some(other) = others.first().and_then(|id| pool_of(document, *id)) {
        findings
            .error(typed.target.span.clone(), format!("{name} may become a CNAME or addresses"))
            .related(alias.name.span.clone(), "this pool is a CNAME")
            .related(other.name.span.clone(), "this pool is not")
            .help("a name is one or the other: all pools of a route must be alike");
    }
    if typed.rtype.is_none() {
        check_cname(owner, typed, &aliases, document, findings);
    }
}

/// A name whose route makes a CNAME.
fn check_cname(
    owner: &Owner<'_>,
    typed: &TypedRoute<'_>,
    aliases: &[PoolId],
    document: &Document<'_>,
    findings: &mut Findings<'_>,
) {
    let name = &owner.name.value;
    let span = typed.target.span.clone();
    if *name == document.apex.value {
        findings
            .error(span, "the apex cannot be a CNAME, and this route makes one")
            .help("use pools of addresses at the apex");
        return;
    }
    let records = owner.records.first().map(|records| records.rtype.span.clone());
    let alias = || owner.aliases.first().map(|alias| alias.target.span.clone());
    if let Some(other) = records.or_else(alias) {
        findings
            .error(span.clone(), format!("{name} would have a CNAME beside other data"))
            .related(other, "the other data");
    }
    check_itself(owner, &span, aliases.iter().copied(), document, findings);
}

/// A name that a pool would make a CNAME of itself.
pub(super) fn check_itself(
    owner: &Owner<'_>,
    span: &Span,
    pools: impl Iterator<Item = PoolId>,
    document: &Document<'_>,
    findings: &mut Findings<'_>,
) {
    let pools = pools.filter_map(|id| pool_of(document, id));
    for cname in pools.filter_map(|pool| pool.cname.as_ref()) {
        if cname.value == owner.name.value {
            findings
                .error(span.clone(), format!("{} would be a CNAME of itself", owner.name.value))
                .related(cname.span.clone(), "the alias");
        }
    }
}

fn pool_of<'d, 't>(document: &'d Document<'t>, id: PoolId) -> Option<&'d TypedPool<'t>> {
    document.pools.get(usize::from(id.0))
}
