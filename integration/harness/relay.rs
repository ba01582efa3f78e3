//! A way to an endpoint that is not always there: a relay of TCP connections that loses some, by a seed that is printed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::random::Random;

/// Which connections are lost.
pub enum Loss {
    /// So many in a hundred; of these one half is closed at once, the other is kept and never heard of.
    Percent(usize, Random),
    /// Those of every second turn of this length.
    Turns(Duration),
}

/// A relay. It lives as long as the test.
pub struct Relay {
    pub address: SocketAddr,
    passed: Arc<AtomicU32>,
    lost: Arc<AtomicU32>,
}

/// What becomes of a connection.
enum Fate {
    Passed,
    Closed,
    Kept,
}

impl Relay {
    /// Relays what comes to an address, at the port of the endpoint.
    pub fn start(address: Ipv4Addr, endpoint: SocketAddr, mut loss: Loss) -> Self {
        let listener = TcpListener::bind((address, endpoint.port())).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let this = Self { address, passed: Arc::default(), lost: Arc::default() };
        let (passed, lost) = (Arc::clone(&this.passed), Arc::clone(&this.lost));
        thread::spawn(move || {
            let start = Instant::now();
            for stream in listener.incoming().flatten() {
                let fate = loss.decide(start.elapsed());
                let count = if matches!(fate, Fate::Passed) { &passed } else { &lost };
                count.fetch_add(1, Ordering::Relaxed);
                match fate {
                    Fate::Closed => drop(stream),
                    Fate::Kept => drop(thread::spawn(move || wait_for_end(stream))),
                    Fate::Passed => drop(thread::spawn(move || pass(stream, endpoint))),
                }
            }
        });
        this
    }

    /// Connections that were passed on, and those that were lost.
    pub fn counts(&self) -> (u32, u32) {
        (self.passed.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}

impl Loss {
    fn decide(&mut self, at: Duration) -> Fate {
        match self {
            Self::Percent(percent, random) => match random.below(100) < *percent {
                true if random.below(2) == 0 => Fate::Closed,
                true => Fate::Kept,
                false => Fate::Passed,
            },
            Self::Turns(turn) if (at.as_millis() / turn.as_millis()).is_multiple_of(2) => {
                Fate::Passed
            }
            Self::Turns(_) => Fate::Closed,
        }
    }
}

fn wait_for_end(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
}

/// One request and its answer. Whoever goes away meanwhile is no business of ours.
fn pass(mut client: TcpStream, endpoint: SocketAddr) {
    let mut octets = vec![0; 4096];
    let Ok(length) = client.read(&mut octets) else { return };
    let Ok(mut server) = TcpStream::connect(endpoint) else { return };
    if server.write_all(&octets[..length]).is_ok() {
        let _ = std::io::copy(&mut server, &mut client);
    }
}
