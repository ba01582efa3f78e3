//! Prometheus metrics, gathered at each scrape from what the parts count for themselves.
//!
//! Labels have few values by construction: types and codes from fixed lists, endpoints from the zone files. No client, and
//! no name that a client asked for, becomes a label.

use prometheus::{Encoder, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::http::Admin;
use crate::health::{Status, TargetId};
use crate::probe::TargetStatistics;
use crate::query::Transport;
use crate::serve::{Origin, RCODES, TYPES, Totals};
use crate::snapshot::Live;
use crate::zone::{ZoneId, ZoneState};

type Result<T> = prometheus::Result<T>;

/// All metrics in the text format.
pub(super) fn render_metrics(admin: &Admin) -> Result<String> {
    let registry = Registry::new();
    let scrape = Scrape { registry: &registry };
    scrape
        .gauge("meridian_build_info", "The running program; always 1.", &["version"])?
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1);
    scrape.queries(admin)?;
    let live = admin.published.load();
    scrape.zones(&live)?;
    scrape.condition(admin, &live)?;
    scrape.endpoints(&live, &admin.prober.statistics())?;
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

struct Scrape<'a> {
    registry: &'a Registry,
}

impl Scrape<'_> {
    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
        let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn queries(&self, admin: &Admin) -> Result<()> {
        let from = ["proto", "family"];
        let requests = self.counter(
            "meridian_dns_requests_total",
            "Messages received, by type asked for.",
            &["proto", "family", "type"],
        )?;
        let responses = self.counter(
            "meridian_dns_responses_total",
            "Answers, by response code.",
            &["proto", "family", "rcode"],
        )?;
        let silent =
            self.counter("meridian_dns_silent_total", "Messages that deserve no answer.", &from)?;
        let truncated =
            self.counter("meridian_dns_truncated_total", "Answers with TC set.", &from)?;
        let subnets = self.counter(
            "meridian_dns_client_subnet_total",
            "Queries with a client subnet.",
            &from,
        )?;
        let resorts = self.counter(
            "meridian_dns_last_resort_total",
            "Answers chosen although nothing was up.",
            &from,
        )?;
        let unsent = self.counter(
            "meridian_dns_unsent_total",
            "Answers that the kernel did not take.",
            &from,
        )?;
        for (transport, proto) in [(Transport::Udp, "udp"), (Transport::Stream, "tcp")] {
            for (is_ipv6, family) in [(false, "1"), (true, "2")] {
                let totals: Totals = admin.counters.totals(Origin { transport, is_ipv6 });
                let types = TYPES.iter().map(ToString::to_string).chain(["other".to_owned()]);
                for (name, count) in types.zip(totals.requests) {
                    requests.with_label_values(&[proto, family, &name]).inc_by(count);
                }
                let codes = RCODES.iter().map(|rcode| rcode.mnemonic()).chain(["OTHER"]);
                for (name, count) in codes.zip(totals.responses) {
                    responses.with_label_values(&[proto, family, name]).inc_by(count);
                }
                silent.with_label_values(&[proto, family]).inc_by(totals.silent);
                truncated.with_label_values(&[proto, family]).inc_by(totals.truncated);
                subnets.with_label_values(&[proto, family]).inc_by(totals.subnets);
                resorts.with_label_values(&[proto, family]).inc_by(totals.last_resorts);
                unsent.with_label_values(&[proto, family]).inc_by(totals.unsent);
            }
        }
        Ok(())
    }

    fn zones(&self, live: &Live) -> Result<()> {
        let catalog = &live.snapshot.catalog;
        let zones =
            self.gauge("meridian_zones", "Zones, by whether they are served.", &["state"])?;
        for (state, label) in [(ZoneState::Served, "served"), (ZoneState::Refused, "refused")] {
            let count = catalog.zones().iter().filter(|zone| zone.state == state).count();
            zones.with_label_values(&[label]).set(whole(count));
        }
        let names =
            self.gauge("meridian_names", "Names in all zones, empty non-terminals included.", &[])?;
        names.with_label_values(&no_labels()).set(whole(catalog.name_count()));
        let memory = self.gauge(
            "meridian_memory_bytes",
            "Memory of what queries are answered from.",
            &["part"],
        )?;
        memory.with_label_values(&["names"]).set(whole(catalog.memory_octets()));
        memory.with_label_values(&["prefix-maps"]).set(whole(live.snapshot.map_sizes().1));
        memory
            .with_label_values(&["geodb"])
            .set(whole(live.snapshot.atlas.database().memory_octets()));
        Ok(())
    }

    fn condition(&self, admin: &Admin, live: &Live) -> Result<()> {
        let standing = admin.condition.read();
        let none = no_labels();
        let flag = |name: &str, help: &str, is_set: bool| -> Result<()> {
            self.gauge(name, help, &[])?.with_label_values(&none).set(i64::from(is_set));
            Ok(())
        };
        flag("meridian_ready", "Whether queries are answered.", standing.is_serving)?;
        flag(
            "meridian_config_last_reload_successful",
            "Whether the last reload was taken over; 1 before the first.",
            standing.last_reload.refused.is_none(),
        )?;
        flag(
            "meridian_geodb_last_load_successful",
            "Whether the geo database on disk is the one in use.",
            standing.geodb_refused.is_none(),
        )?;
        let refused = self.counter(
            "meridian_reload_refused_total",
            "Reloads that were refused, for mistakes in the files or for the size of the change.",
            &["reason"],
        )?;
        refused.with_label_values(&["mistakes"]).inc_by(standing.refusals.mistakes);
        refused.with_label_values(&["change"]).inc_by(standing.refusals.change);
        let seconds = |name: &str, help: &str, value: u64| -> Result<()> {
            self.gauge(name, help, &[])?
                .with_label_values(&none)
                .set(i64::try_from(value).unwrap_or(i64::MAX));
            Ok(())
        };
        seconds(
            "meridian_config_last_reload_timestamp_seconds",
            "When the last reload ended; 0 before the first.",
            standing.last_reload.at,
        )?;
        seconds(
            "meridian_config_generation",
            "Counts up with each snapshot that is served.",
            live.snapshot.generation.0,
        )?;
        let built = live.snapshot.atlas.database().build_epoch();
        seconds(
            "meridian_geodb_build_timestamp_seconds",
            "When the geo database in use was built.",
            built,
        )
    }

    /// One series per endpoint of a pool, although endpoints with the same check and address are probed once.
    fn endpoints(&self, live: &Live, statistics: &[TargetStatistics]) -> Result<()> {
        let labels = ["zone", "pool", "endpoint", "check"];
        let healthy = self.gauge(
            "meridian_endpoint_healthy",
            "1 if the endpoint counts as up, 0 if it is down.",
            &labels,
        )?;
        let latency = self.seconds(
            "meridian_probe_last_duration_seconds",
            "How long the last good probe took.",
            &labels,
        )?;
        let results = self.counter(
            "meridian_probe_results_total",
            "Probes by result; `nothing` is an error of our own side.",
            &[labels.as_slice(), &["result"]].concat(),
        )?;
        for zone in 0..live.snapshot.catalog.zones().len() {
            let Ok(zone) = u32::try_from(zone).map(ZoneId) else {
                break;
            };
            for endpoint in endpoints_of(live, zone) {
                let Endpoint { labels: [a, b, c, d], target } = &endpoint;
                let labels = [a.as_str(), b, c, d];
                healthy
                    .with_label_values(&labels)
                    .set(i64::from(live.view.status(*target) != Status::Down));
                let Some(known) = find(statistics, live, *target) else { continue };
                if let Some(took) = known.tally.last_latency {
                    latency.with_label_values(&labels).set(took.as_secs_f64());
                }
                let tally = &known.tally;
                for (result, count) in [
                    ("success", tally.successes),
                    ("failure", tally.failures),
                    ("nothing", tally.nothings),
                ] {
                    results.with_label_values(&[a, b, c, d, result]).inc_by(count);
                }
            }
        }
        Ok(())
    }
}

/// A checked endpoint, as metrics name it: zone, pool, endpoint, check.
struct Endpoint {
    labels: [String; 4],
    target: TargetId,
}

/// What the prober knows of a target of this snapshot. During a reload the two may be of different generations for a moment;
/// then the target of that number may be another one, of which nothing is said.
fn find<'a>(
    statistics: &'a [TargetStatistics],
    live: &Live,
    id: TargetId,
) -> Option<&'a TargetStatistics> {
    let place = statistics.binary_search_by_key(&id, |known| known.id).ok()?;
    let target = live.snapshot.targets.get(usize::try_from(id.0).ok()?)?;
    statistics.get(place).filter(|known| known.target == *target)
}

fn endpoints_of(live: &Live, zone: ZoneId) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    let apex = live.snapshot.catalog.zone(zone).map(|zone| zone.apex.to_string());
    let Some((apex, routing)) = apex.zip(live.snapshot.routing(zone)) else {
        return endpoints;
    };
    for (pool, bound) in routing.named.pools.iter().zip(routing.bound.pools()) {
        let check = pool.check.and_then(|check| routing.checks.get(usize::from(check.0)));
        for (named, bound) in pool.endpoints.iter().zip(&bound.endpoints) {
            if let (Some(check), Some(target)) = (check, bound.health.target()) {
                let labels = [
                    apex.clone(),
                    pool.name.to_string(),
                    named.label.to_string(),
                    check.name.to_string(),
                ];
                endpoints.push(Endpoint { labels, target });
            }
        }
    }
    endpoints
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn no_labels() -> [&'static str; 0] {
    []
}
