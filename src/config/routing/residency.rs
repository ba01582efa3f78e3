//! Residencies with their places and pools looked up (B4).

use std::collections::BTreeSet;

use super::{Connected, dangling};
use crate::config::diagnostic::Findings;
use crate::config::place;
use crate::config::policy::Reference;
use crate::config::residency::Residency as TypedResidency;
use crate::policy::{PoolId, Residency, Target};

impl Connected<'_> {
    pub(super) fn compile_residency(
        &mut self,
        typed: &TypedResidency<'_>,
        findings: &mut Findings<'_>,
    ) -> Residency {
        let clients = place::resolve(&typed.clients, &self.groups, findings);
        let pools = typed.pools.iter();
        Residency {
            name: typed.name.value.into(),
            clients: clients.into_iter().flatten().collect(),
            holds_unlocated: typed.holds_unlocated,
            pools: pools.filter_map(|pool| self.residency_pool(pool, findings)).collect(),
            fails_closed: typed.fails_closed,
        }
    }

    fn residency_pool(&self, pool: &Reference<'_>, findings: &mut Findings<'_>) -> Option<PoolId> {
        match self.targets.get(pool.value) {
            Some((Target::Pool(id), _)) => return Some(*id),
            Some((Target::Policy(_), _)) => {
                let message = format!("`{}` is a policy, and a residency names pools", pool.value);
                findings
                    .error(pool.span.clone(), message)
                    .help("write the pools that data may come from, whatever policy chooses them");
            }
            None => {
                let pools = self.routing.pools.iter().map(|pool| &*pool.name);
                dangling("pool", pool, pools, findings);
            }
        }
        None
    }

    /// Warns of residencies whose pools no name leads to: none of their clients is ever answered.
    pub(in crate::config) fn warn_unreachable(&self, findings: &mut Findings<'_>) {
        let routed = self.routed.iter();
        let reached: BTreeSet<PoolId> =
            routed.flat_map(|target| self.routing.pools_below(*target)).collect();
        for (typed, residency) in self.document.residencies.iter().zip(&self.routing.residencies) {
            if residency.pools.is_disjoint(&reached) {
                let message =
                    format!("no name leads to a pool of the residency `{}`", typed.name.value);
                findings
                    .warning(typed.name.span.clone(), message)
                    .label("the clients that it names get no data at any routed name");
            }
        }
    }
}
