//! The set that a multivalue policy hands out: what its pools must be to make one (rules 41 and 42).
//!
//! Targets are looked up by [`super::routing`]; here they are put together. What comes out is what
//! [`crate::policy::Rule::Multivalue`] promises.

use std::collections::HashMap;

use super::diagnostic::Findings;
use super::policy::Reference;
use super::reader::Spanned;
use crate::limits::POOL_ENDPOINTS;
use crate::policy::{MinUp, PoolId, Routing, Target};
use crate::wire::RecordType;

/// The pools of one policy, as far as they were looked at.
pub(super) struct Values<'p> {
    policy: &'p Spanned<&'p str>,
    pools: Vec<PoolId>,
    endpoints: usize,
    /// The pool that each endpoint was seen in first.
    seen: HashMap<(RecordType, Box<[u8]>), Box<str>>,
}

impl<'p> Values<'p> {
    pub(super) fn new(policy: &'p Spanned<&'p str>) -> Self {
        Self { policy, pools: Vec::new(), endpoints: 0, seen: HashMap::new() }
    }

    /// Takes a pool in; a policy, an alias, a pool with a minimum, or an endpoint that another pool has as well is an error.
    pub(super) fn add(
        &mut self,
        reference: &Reference<'_>,
        target: Target,
        routing: &Routing,
        findings: &mut Findings<'_>,
    ) {
        let name = reference.value;
        let Target::Pool(id) = target else {
            let message = format!("`{name}` is a policy, and a multivalue policy takes pools only");
            findings
                .error(reference.span.clone(), message)
                .help("to choose among policies, use weighted, round-robin or failover");
            return;
        };
        let Some(pool) = routing.pool(id) else { return };
        if pool.endpoints.iter().any(|endpoint| endpoint.rtype == RecordType::CNAME) {
            let message = format!("`{name}` is a CNAME, and a multivalue policy takes none");
            findings
                .error(reference.span.clone(), message)
                .help("a name has one CNAME at most; to choose among several, use round-robin");
            return;
        }
        if pool.min_up != MinUp::ONE {
            let message =
                format!("`{name}` has a `min_up`, and a multivalue policy counts no pools");
            findings.error(reference.span.clone(), message).help(
                "it hands out every endpoint that is up: make a pool without `min_up` for it",
            );
            return;
        }
        for endpoint in &pool.endpoints {
            let key = (endpoint.rtype, endpoint.rdata.clone());
            if let Some(first) = self.seen.insert(key, pool.name.clone()) {
                let label = &endpoint.label;
                let message = format!("`{label}` is in the pools `{first}` and `{name}`");
                findings
                    .error(reference.span.clone(), message)
                    .label("one answer would hold it twice")
                    .help("leave it to one of the pools of a multivalue policy");
            }
        }
        self.endpoints = self.endpoints.saturating_add(pool.endpoints.len());
        self.pools.push(id);
    }

    /// The pools, if they are not too many endpoints for one set.
    pub(super) fn finish(self, findings: &mut Findings<'_>) -> Vec<PoolId> {
        if self.endpoints > POOL_ENDPOINTS {
            let message = format!(
                "the pools of the policy `{}` have {} endpoints, {POOL_ENDPOINTS} is the most",
                self.policy.value, self.endpoints
            );
            findings.error(self.policy.span.clone(), message);
        }
        self.pools
    }
}
