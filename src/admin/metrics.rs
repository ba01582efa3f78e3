//! Prometheus metrics, gathered at each scrape from what the parts count for themselves.
//!
//! Labels have few values by construction: types and codes from fixed lists, endpoints from the zone files. No client, and
//! no name that a client asked for, becomes a label.

use prometheus::{Encoder, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::endpoints::{Endpoint, endpoints, find};
use super::health::last_result_seconds;
use super::http::Admin;
use crate::health::{Action, Guard, Known, Status};
use crate::notify::WebhookStatistics;
use crate::query::Transport;
use crate::serve::{Origin, RCODES, TYPES, Totals};
use crate::snapshot::Live;
use crate::zone::ZoneState;

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
    scrape.log(admin)?;
    scrape.condition(admin, &live)?;
    let known = admin.prober.known();
    scrape.endpoints(&live, &known)?;
    scrape.health(admin, &known)?;
    scrape.state(admin)?;
    scrape.webhooks(&admin.notifier.statistics())?;
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

    fn log(&self, admin: &Admin) -> Result<()> {
        let help = "Lines of the log that nobody took, or that could not be written.";
        let none = no_labels();
        self.counter("meridian_log_dropped_lines_total", help, &[])?
            .with_label_values(&none)
            .inc_by(admin.log_loss.lines());
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
    fn endpoints(&self, live: &Live, statistics: &[Known]) -> Result<()> {
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
        for endpoint in endpoints(&live.snapshot) {
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
        Ok(())
    }

    fn webhooks(&self, statistics: &[WebhookStatistics]) -> Result<()> {
        let labels = ["webhook", "kind"];
        let events = self.counter(
            "meridian_webhook_events_total",
            "Events for a webhook: `sent`, `failed` (refused, or given up), `dropped` (too many waited).",
            &["webhook", "kind", "result"],
        )?;
        let attempts = self.counter(
            "meridian_webhook_failed_attempts_total",
            "Messages that a webhook did not take.",
            &labels,
        )?;
        let queued = self.gauge(
            "meridian_webhook_queued",
            "What waits to be told; of an Alertmanager, the alerts that hold.",
            &labels,
        )?;
        for webhook in statistics {
            let (name, kind) = (&*webhook.name, webhook.kind.as_str());
            for (result, count) in
                [("sent", webhook.sent), ("failed", webhook.failed), ("dropped", webhook.dropped)]
            {
                events.with_label_values(&[name, kind, result]).inc_by(count);
            }
            attempts.with_label_values(&[name, kind]).inc_by(webhook.failed_attempts);
            queued.with_label_values(&[name, kind]).set(whole(webhook.queued));
        }
        Ok(())
    }

    /// Whether the prober and what it knows can be relied on.
    fn health(&self, admin: &Admin, statistics: &[Known]) -> Result<()> {
        let standing = admin.condition.read();
        let none = no_labels();
        let held = "Whether the last health is held because too much fails at once.";
        self.gauge("meridian_probe_guard_held", held, &[])?
            .with_label_values(&none)
            .set(i64::from(standing.guard_held.is_some()));
        // Nothing is known of it while the prober stands still.
        if let Some((guard, _)) = admin.prober.standing() {
            let help = "Whether failures are believed though too much fails, because that was held for as long as it may be.";
            self.gauge("meridian_probe_guard_overruled", help, &[])?
                .with_label_values(&none)
                .set(i64::from(matches!(guard, Guard::Overruled { .. })));
        }
        let silent = "Whether no sentinel answers.";
        self.gauge("meridian_probe_sentinels_silent", silent, &[])?
            .with_label_values(&none)
            .set(i64::from(standing.silent_sentinels.is_some()));
        let blind = "Whether probes learn nothing because of errors of our own side.";
        self.gauge("meridian_probe_blind", blind, &[])?
            .with_label_values(&none)
            .set(i64::from(standing.blind.is_some()));
        let age =
            "Time since the prober last showed that it lives, which it does ten times a second.";
        self.seconds("meridian_probe_age_seconds", age, &[])?
            .with_label_values(&none)
            .set(admin.prober.age().as_secs_f64());
        let age = "Time since the last result of any probe; absent before the first.";
        if let Some(seconds) = last_result_seconds(statistics) {
            self.seconds("meridian_probe_last_result_age_seconds", age, &[])?
                .with_label_values(&none)
                .set(seconds);
        }
        let help = "Overrides that hold.";
        let overrides = self.gauge("meridian_overrides", help, &["action"])?;
        for label in ["up", "down", "drain"] {
            let held = standing.overrides.iter();
            let count = held.filter(|held| action_label(held.set.action) == label).count();
            overrides.with_label_values(&[label]).set(whole(count));
        }
        Ok(())
    }

    /// What becomes of events, and of what should outlive the process.
    fn state(&self, admin: &Admin) -> Result<()> {
        let help = "Events that did not get everywhere, by who missed them.";
        let dropped = self.counter("meridian_events_dropped_total", help, &["by"])?;
        dropped.with_label_values(&["listener"]).inc_by(admin.journal.dropped());
        if let Some(state) = &admin.state {
            dropped.with_label_values(&["state"]).inc_by(state.lost_events());
            let help = "Whether health, overrides and events are in the state directory.";
            self.gauge("meridian_state_persisted", help, &[])?
                .with_label_values(&no_labels())
                .set(i64::from(state.unpersisted().is_none()));
        }
        Ok(())
    }
}

fn action_label(action: Action) -> &'static str {
    match action {
        Action::Up => "up",
        Action::Down => "down",
        Action::Drain { .. } => "drain",
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn no_labels() -> [&'static str; 0] {
    []
}
