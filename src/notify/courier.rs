//! One receiver's task: waits until there is something to tell, tells it, tries again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::WebhookStatistics;
use super::alerts::{Alerts, Now, Sent};
use super::message::{write_json, write_slack};
use super::queue::{Batch, Queue};
use super::retry::Retry;
use super::transport::{Failure, post};
use super::webhook::Webhook;
use super::words::{is_expected, show_length};
use crate::config::WebhookKind;
use crate::health::{Event, Moment, stable_hash};
use crate::limits::{WEBHOOK_LINGER_MS, WEBHOOK_QUEUE};
use crate::sys::monotonic_ms;

/// One receiver, as the tellers and its task share it.
pub(super) struct Post {
    webhook: Webhook,
    server: Box<str>,
    /// Held for as long as it takes to move some events, never while something is sent.
    feed: Mutex<Feed>,
    news: Notify,
    sent: AtomicU64,
    failed: AtomicU64,
    failed_attempts: AtomicU64,
}

/// What waits: events, or what holds.
enum Feed {
    Events(Queue),
    Alerts(Alerts),
}

/// What is under way.
enum Load {
    Events(Batch),
    Alerts(Sent),
}

impl Post {
    pub(super) fn new(webhook: Webhook, server: &str) -> Self {
        let settings = &webhook.settings;
        let feed = match settings.kind {
            WebhookKind::Alertmanager => Feed::Alerts(Alerts::new(server, settings.resend_after)),
            WebhookKind::Json | WebhookKind::Slack => {
                Feed::Events(Queue::new(settings.repeat_after, WEBHOOK_QUEUE))
            }
        };
        Self {
            webhook,
            server: server.into(),
            feed: Mutex::new(feed),
            news: Notify::new(),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failed_attempts: AtomicU64::new(0),
        }
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event, if it is one that the receiver wants.
    pub(super) fn push(&self, event: &Arc<Event>) {
        if !self.webhook.settings.topics.contains(&event.what.topic()) {
            return;
        }
        match &mut *self.feed() {
            Feed::Events(queue) if !is_expected(&event.what) => queue.push(event),
            Feed::Events(_) => return,
            Feed::Alerts(alerts) => alerts.push(event, now()),
        }
        self.news.notify_one();
    }

    /// Takes an event of before the start: of that only what holds still matters.
    pub(super) fn resume(&self, event: &Arc<Event>) {
        if self.webhook.settings.kind == WebhookKind::Alertmanager {
            self.push(event);
        }
    }

    /// Ends what holds of endpoints that are no longer probed.
    pub(super) fn retain(&self, is_probed: impl Fn(&str, &str) -> bool) {
        if let Feed::Alerts(alerts) = &mut *self.feed() {
            alerts.retain(is_probed, now());
        }
        self.news.notify_one();
    }

    pub(super) fn statistics(&self) -> WebhookStatistics {
        let (queued, dropped) = match &*self.feed() {
            Feed::Events(queue) => (queue.len(), queue.dropped()),
            Feed::Alerts(alerts) => (alerts.len(), alerts.dropped()),
        };
        WebhookStatistics {
            name: self.webhook.settings.name.clone(),
            kind: self.webhook.settings.kind,
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            failed_attempts: self.failed_attempts.load(Ordering::Relaxed),
            dropped,
            queued,
        }
    }

    /// Tells what there is to tell, for ever.
    pub(super) async fn deliver(self: Arc<Self>, seed: u64) {
        let settings = &self.webhook.settings;
        let longest = match settings.kind {
            // What holds must be there again before it is taken for ended.
            WebhookKind::Alertmanager => settings.resend_after,
            WebhookKind::Json | WebhookKind::Slack => Duration::MAX,
        };
        let mut retry = Retry::new(seed ^ stable_hash(settings.name.as_bytes()), longest);
        loop {
            self.wait().await;
            let Some((load, body)) = self.load() else { continue };
            match post(&self.webhook, body.to_string().into_bytes()).await {
                Ok(()) => {
                    self.accept(load);
                    retry.reset();
                }
                Err(Failure::Refused(why)) => {
                    self.refuse(load, &why);
                    retry.reset();
                }
                Err(Failure::Later(why, asked)) => {
                    self.failed_attempts.fetch_add(1, Ordering::Relaxed);
                    let wait = retry.wait(asked);
                    self.put_back(load, &why, wait);
                    sleep(wait).await;
                }
            }
        }
    }

    /// Waits until something is due, and a little longer for what comes with it.
    async fn wait(&self) {
        loop {
            let now = now();
            let due = match &*self.feed() {
                Feed::Events(queue) => queue.next_due(now.moment),
                Feed::Alerts(alerts) => alerts.next_due(now),
            };
            match due.map(|due| due.since(now.moment)) {
                Some(Duration::ZERO) => break,
                // News or time: either is a reason to look again.
                Some(rest) => drop(timeout(rest, self.news.notified()).await),
                None => self.news.notified().await,
            }
        }
        sleep(Duration::from_millis(WEBHOOK_LINGER_MS)).await;
    }

    fn load(&self) -> Option<(Load, Value)> {
        match &mut *self.feed() {
            Feed::Events(queue) => {
                let batch = queue.take(now().moment)?;
                let body = match self.webhook.settings.kind {
                    WebhookKind::Slack => write_slack(&self.server, &batch),
                    WebhookKind::Json | WebhookKind::Alertmanager => {
                        write_json(&self.server, &batch)
                    }
                };
                Some((Load::Events(batch), body))
            }
            Feed::Alerts(alerts) => {
                let (sent, body) = alerts.take(now())?;
                Some((Load::Alerts(sent), body))
            }
        }
    }

    /// Ends what was under way; gives how many events, or alerts that were news.
    fn settle(&self, load: Load) -> u64 {
        match (load, &mut *self.feed()) {
            (Load::Events(batch), Feed::Events(queue)) => {
                let events = batch.events();
                queue.accept(batch, now().moment);
                events
            }
            (Load::Alerts(sent), Feed::Alerts(alerts)) => alerts.settle(&sent, now()),
            // A feed stays what it is.
            _ => 0,
        }
    }

    fn accept(&self, load: Load) {
        let events = self.settle(load);
        self.sent.fetch_add(events, Ordering::Relaxed);
        tracing::debug!(webhook = self.name(), events, "notification sent");
    }

    fn refuse(&self, load: Load, why: &str) {
        self.failed_attempts.fetch_add(1, Ordering::Relaxed);
        let events = self.settle(load);
        self.failed.fetch_add(events, Ordering::Relaxed);
        let url = self.webhook.settings.url.origin();
        tracing::error!(
            webhook = self.name(),
            url,
            events,
            "notification refused, not tried again: {why}"
        );
    }

    fn put_back(&self, load: Load, why: &str, wait: Duration) {
        let given_up = match (load, &mut *self.feed()) {
            (Load::Events(batch), Feed::Events(queue)) => queue.put_back(batch, now().moment),
            // What holds was never taken out.
            _ => 0,
        };
        let (url, wait) = (self.webhook.settings.url.origin(), show_length(wait));
        tracing::warn!(
            webhook = self.name(),
            url,
            "notification failed, tried again in {wait}: {why}"
        );
        if given_up > 0 {
            self.failed.fetch_add(given_up, Ordering::Relaxed);
            let events = given_up;
            tracing::error!(
                webhook = self.name(),
                url,
                events,
                "notifications given up after an hour"
            );
        }
    }

    fn name(&self) -> &str {
        &self.webhook.settings.name
    }
}

fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
    Now { moment: Moment(monotonic_ms()), wall_ms }
}
