//! A UDP worker: one thread, one socket, no runtime.
//!
//! It sleeps in `recvmmsg`, answers what came, sends it with `sendmmsg`, and sleeps again. With `SO_REUSEPORT` the kernel
//! spreads clients over the workers of an address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use socket2::Socket;

use super::counters::Tally;
use super::current_engine;
use crate::limits::UDP_BATCH;
use crate::query::{Client, Scratch, Transport};
use crate::snapshot::Reader;
use crate::sys::{Batch, Datagram, run_soon};

/// A batch of fewer datagrams is answered as it comes.
const WORTH_READING_AHEAD: usize = 4;

/// All that a worker needs.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) socket: Socket,
    pub(super) reader: Reader,
    pub(super) tally: Arc<Tally>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) seed: u64,
}

impl Worker {
    /// Runs the worker on a thread of its own until it is told to stop.
    pub(super) fn spawn(self, name: String) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(name).spawn(move || {
            run_soon();
            self.run();
        })
    }

    fn run(mut self) {
        let own = self.socket.local_addr().ok().and_then(|address| address.as_socket());
        let mut batch = Batch::new(own.is_some_and(|address| address.ip().is_unspecified()));
        let mut scratch = Scratch::for_batch(self.seed, UDP_BATCH);
        while !self.stop.load(Ordering::Relaxed) {
            match batch.receive(&self.socket) {
                Ok(_) => self.answer(&mut batch, &mut scratch, own),
                // Nothing came: let go of a snapshot that was replaced meanwhile.
                Err(error) if is_idle(&error) => {
                    self.reader.load();
                }
                Err(error) => {
                    tracing::error!(%error, "a UDP socket can't receive");
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
            }
        }
    }

    /// Answers a batch. `own` is the address of the socket: what claims to come from there is forged, and the answer would
    /// only come back to us. On a wildcard address it does, once: it is an answer, and those get none.
    #[inline(never)]
    fn answer(&mut self, batch: &mut Batch, scratch: &mut Scratch, own: Option<SocketAddr>) {
        let engine = current_engine(self.reader.load());
        let (mut answered, mut forged) = (0usize, 0usize);
        let reads_ahead = batch.received() >= WORTH_READING_AHEAD && engine.reads_ahead();
        if reads_ahead {
            engine.read_ahead(scratch, batch.queries());
        }
        let unseen = batch.answer_each(|Datagram { place, query, client, answer }| {
            if own == Some(client) {
                forged += 1;
                return 0;
            }
            let client = Client { address: client.ip().to_canonical(), transport: Transport::Udp };
            let outcome = if reads_ahead {
                engine.answer_ahead(scratch, place, query, client, answer)
            } else {
                engine.answer(scratch, query, client, answer)
            };
            self.tally.count(&outcome);
            answered += usize::from(outcome.octets != 0);
            outcome.octets
        });
        self.tally.count_silent(unseen + forged);
        let sent = batch.send(&self.socket);
        self.tally.count_unsent(answered.saturating_sub(sent));
    }
}

fn is_idle(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
