//! Who wants to be told what happens to health is told: webhooks.
//!
//! ```text
//! Notifier::tell ─▶ one per webhook: queue of stories, or alerts ─▶ courier task ─▶ message ─▶ transport ─▶ receiver
//!                        ▲ put back, merged with what came meanwhile │ retry
//!                        └────────────────────────────────────────────┘
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `webhook` | a receiver with its token and the authorities that it trusts |
//! | `queue` | what waits: order, merging, repetition, what is dropped |
//! | `alerts` | the same for Alertmanager, which is told what holds |
//! | `retry` | when to try again |
//! | `words`, `message` | sentences and bodies |
//! | `transport` | one POST |
//! | `courier` | one receiver's task |
//!
//! Invariants: telling never waits, and takes bounded memory, whatever receivers do; of one subject a receiver hears in order, and its
//! newest state last, but for what is counted as dropped or failed. What waits does not survive the process: the log of events does, and
//! the numbers of events tell a receiver what it heard twice or missed.

mod alerts;
mod courier;
mod message;
mod queue;
mod retry;
mod transport;
mod webhook;
mod words;

use std::fmt;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::config::WebhookKind;
use crate::health::Event;
use courier::Post;
pub use webhook::{Webhook, WebhookError};

/// Tells webhooks of events until it is dropped; what waits then is lost.
pub struct Notifier {
    posts: Vec<Arc<Post>>,
    tasks: Vec<JoinHandle<()>>,
}

/// What became of the events for one webhook.
#[derive(Clone, Debug)]
pub struct WebhookStatistics {
    pub name: Box<str>,
    pub kind: WebhookKind,
    /// Events that it took; of an Alertmanager, alerts that began or ended.
    pub sent: u64,
    /// Events that it refused, or that were given up.
    pub failed: u64,
    /// Messages that it did not take.
    pub failed_attempts: u64,
    /// Events dropped because too much waited.
    pub dropped: u64,
    /// What waits; of an Alertmanager, all alerts that hold.
    pub queued: usize,
}

impl Notifier {
    /// Starts a task for each webhook on the current tokio runtime. `server` is what this server is called in messages; `seed` is
    /// where the waits between tries get their chance from.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn start(webhooks: Vec<Webhook>, server: &str, seed: u64) -> Self {
        let posts: Vec<Arc<Post>> =
            webhooks.into_iter().map(|webhook| Arc::new(Post::new(webhook, server))).collect();
        let start = |post: &Arc<Post>| tokio::spawn(Arc::clone(post).deliver(seed));
        let tasks = posts.iter().map(start).collect();
        Self { posts, tasks }
    }

    /// Tells of an event. Never waits: events come in order of their numbers, from any thread.
    pub fn tell(&self, event: &Event) {
        if self.posts.is_empty() {
            return;
        }
        let event = Arc::new(event.clone());
        self.posts.iter().for_each(|post| post.push(&event));
    }

    /// Takes events of before the start, the oldest first. Nobody is told of them again, but an Alertmanager of what still holds.
    pub fn resume(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let event = Arc::new(event);
            self.posts.iter().for_each(|post| post.resume(&event));
        }
    }

    /// After a reload: ends the alerts of what is no longer probed, or not in that pool. Both are named as events name them.
    pub fn retain(&self, is_probed: impl Fn(&str, &str) -> bool) {
        self.posts.iter().for_each(|post| post.retain(&is_probed));
    }

    /// What became of the events, in the order of the settings.
    pub fn statistics(&self) -> Vec<WebhookStatistics> {
        self.posts.iter().map(|post| post.statistics()).collect()
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("webhooks", &self.posts.len()).finish_non_exhaustive()
    }
}
