//! From listen addresses to running workers, and back to silence when the server stops.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use socket2::Socket;

use super::counters::{Counters, Origin, Writers};
use super::hickory;
use super::tcp::{self, Places, Streams};
use super::udp::Worker;
use crate::config::Io;
use crate::query::Transport;
use crate::snapshot::Published;
use crate::sys::{random_seed, socket};

/// A port that UDP was given by the kernel may be taken for TCP; so often we ask for another.
const PORT_ATTEMPTS: usize = 10;

/// An address that can't be listened on.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't listen on {}: {}", self.address, self.error)?;
        match self.error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "\n  another server uses it: find it with `ss -lnptu`, or take another with --listen"
            ),
            io::ErrorKind::PermissionDenied => {
                write!(
                    f,
                    "\n  ports below 1024 need CAP_NET_BIND_SERVICE; or take a higher one with --listen"
                )
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "\n  this machine has no such address: see `ip address`")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ListenError {}

impl ListenError {
    /// Whether the machine has no such address, or no addresses of that family.
    pub fn lacks_address(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrNotAvailable
            || self.error.raw_os_error() == Some(libc::EAFNOSUPPORT)
    }
}

/// Sockets of one address, bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    address: SocketAddr,
    udp: Vec<Socket>,
    tcp: TcpListener,
}

impl Bound {
    /// Binds UDP sockets for `workers` threads and one TCP socket. Port 0 becomes one that is free for both.
    pub fn bind(address: SocketAddr, workers: usize) -> Result<Self, ListenError> {
        let mut result = Self::try_bind(address, workers);
        for _ in 0..PORT_ATTEMPTS {
            match &result {
                Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {
                    result = Self::try_bind(address, workers);
                }
                _ => break,
            }
        }
        result.map_err(|error| ListenError { address, error })
    }

    fn try_bind(address: SocketAddr, workers: usize) -> io::Result<Self> {
        // TCP first: it does not share its address, so that a second server is refused here.
        let tcp = socket::bind_tcp(address)?;
        let address = tcp.local_addr()?;
        let udp =
            (0..workers.max(1)).map(|_| socket::bind_udp(address)).collect::<io::Result<_>>()?;
        Ok(Self { address, udp, tcp })
    }

    /// The address with its true port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Running workers. They stop when this is told to, or dropped.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Server {
    /// Serves all addresses. Needs a tokio runtime around it.
    pub fn start(
        bound: Vec<Bound>,
        io: Io,
        published: &Published,
        counters: &Counters,
    ) -> io::Result<Self> {
        let mut server =
            Self { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new(), tasks: Vec::new() };
        let places = Arc::new(Places::default());
        for Bound { address, udp, tcp } in bound {
            match io {
                Io::Sockets => {
                    server.start_workers(address, udp, published, counters)?;
                    server.start_streams(tcp, address, published, counters, &places)?;
                }
                Io::Hickory => {
                    server.tasks.push(hickory::start(address, udp, tcp, published, counters)?);
                }
            }
        }
        Ok(server)
    }

    fn start_workers(
        &mut self,
        address: SocketAddr,
        sockets: Vec<Socket>,
        published: &Published,
        counters: &Counters,
    ) -> io::Result<()> {
        for (number, socket) in sockets.into_iter().enumerate() {
            let origin = Origin { transport: Transport::Udp, is_ipv6: address.is_ipv6() };
            let worker = Worker {
                socket,
                reader: published.reader(),
                tally: counters.tally(origin, Writers::One),
                stop: Arc::clone(&self.stop),
                seed: random_seed()?,
            };
            self.threads.push(worker.spawn(format!("udp-{number}"))?);
        }
        Ok(())
    }

    fn start_streams(
        &mut self,
        listener: TcpListener,
        address: SocketAddr,
        published: &Published,
        counters: &Counters,
        places: &Arc<Places>,
    ) -> io::Result<()> {
        let origin = Origin { transport: Transport::Stream, is_ipv6: address.is_ipv6() };
        let streams = Arc::new(Streams {
            published: published.clone(),
            tally: counters.tally(origin, Writers::Many),
            seed: random_seed()?,
            places: Arc::clone(places),
        });
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.tasks.push(tokio::spawn(tcp::accept(listener, streams)));
        Ok(())
    }

    /// Stops all workers, and waits until the datagrams that they took are answered.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in &self.tasks {
            task.abort();
        }
    }
}
