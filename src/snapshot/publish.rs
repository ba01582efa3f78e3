//! The place where queries find the snapshot and the view of the moment.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::Snapshot;
use crate::health::View;

/// A snapshot and the view whose entries its targets number. They change together, or a query would read the health of one
/// generation's endpoint for another's.
#[derive(Debug)]
pub struct Live {
    pub snapshot: Arc<Snapshot>,
    pub view: Arc<View>,
    /// The zone files changed since, and what they say was refused.
    pub is_stale: bool,
}

/// Swapped whole; read without a lock.
#[derive(Clone, Debug)]
pub struct Published {
    live: Arc<ArcSwap<Live>>,
}

/// One reader's memory of what was published, which costs one atomic load to check.
#[derive(Clone, Debug)]
pub struct Reader {
    cache: Cache<Arc<ArcSwap<Live>>, Arc<Live>>,
}

impl Published {
    pub fn new(live: Live) -> Self {
        Self { live: Arc::new(ArcSwap::from_pointee(live)) }
    }

    /// What is served now.
    pub fn load(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Serves something else from the next batch of every worker on. Gives back what was served, which readers may still
    /// hold for as long as they sleep.
    pub fn swap(&self, live: Live) -> Arc<Live> {
        self.live.swap(Arc::new(live))
    }

    /// A reader for one thread.
    pub fn reader(&self) -> Reader {
        Reader { cache: Cache::new(Arc::clone(&self.live)) }
    }
}

impl Reader {
    /// What is served now.
    #[inline]
    pub fn load(&mut self) -> &Live {
        self.cache.load()
    }
}
