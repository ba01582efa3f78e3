//! An endpoint for the prober: an HTTP server on a loopback address that can be stopped, slowed down and broken.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// One endpoint. It answers every path until it is stopped or dropped.
pub struct Responder {
    address: SocketAddr,
    behaviour: Arc<Behaviour>,
    /// Nothing while stopped.
    running: Option<Running>,
}

struct Behaviour {
    status: AtomicU16,
    delay_ms: AtomicU64,
    requests: AtomicU64,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Responder {
    /// Listens on an address; port 0 takes one that is free.
    pub fn start(address: impl Into<IpAddr>, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((address.into(), port))?;
        let address = listener.local_addr()?;
        assert!(address.ip().is_loopback(), "{address} is not this machine");
        let behaviour = Arc::new(Behaviour {
            status: AtomicU16::new(200),
            delay_ms: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        });
        let running = Some(Running::start(listener, Arc::clone(&behaviour)));
        Ok(Self { address, behaviour, running })
    }

    /// One responder per address, all on one port.
    pub fn start_all<const N: usize>(addresses: [IpAddr; N]) -> [Self; N] {
        for _ in 0..50 {
            let first = Self::start(addresses[0], 0).expect("no free port on loopback");
            let port = first.address.port();
            let mut all = vec![first];
            for address in &addresses[1..] {
                all.extend(Self::start(*address, port));
            }
            if let Ok(all) = all.try_into() {
                return all;
            }
        }
        panic!("no port is free on all of {addresses:?}");
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connections from now on, like a service that was scaled to zero.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop(self.address);
        }
    }

    /// Listens again after [`Responder::stop`], on the same port.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "{} runs already", self.address);
        let listener = TcpListener::bind(self.address).expect("the port was taken meanwhile");
        self.running = Some(Running::start(listener, Arc::clone(&self.behaviour)));
    }

    /// Answers with this status from now on.
    pub fn set_status(&self, status: u16) {
        self.behaviour.status.store(status, Ordering::Relaxed);
    }

    /// Waits so long before each answer from now on.
    pub fn set_delay(&self, delay: Duration) {
        self.behaviour.delay_ms.store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u64 {
        self.behaviour.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn start(listener: TcpListener, behaviour: Arc<Behaviour>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    let behaviour = Arc::clone(&behaviour);
                    std::thread::spawn(move || behaviour.answer(stream));
                }
            }
        });
        Self { stop, thread }
    }

    fn stop(self, address: SocketAddr) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread from its wait for a connection.
        drop(TcpStream::connect(address));
        self.thread.join().expect("a responder panicked");
    }
}

impl Behaviour {
    /// Answers one request. A prober that went away is no business of ours.
    fn answer(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let (mut request, mut chunk) = (Vec::<u8>::new(), [0; 1024]);
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut chunk) {
                Ok(length) if length > 0 => request.extend(&chunk[..length]),
                _ => return,
            }
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::Relaxed)));
        let status = self.status.load(Ordering::Relaxed);
        let _ = write!(
            stream,
            "HTTP/1.1 {status} Whatever\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
        );
    }
}
