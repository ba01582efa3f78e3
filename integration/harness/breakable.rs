//! An endpoint that breaks when it is told to, in each of the ways that are seen on the wire.
//!
//! What a process, a cable or a resolver does wrong is in [`super::process`], [`super::network`] and [`super::resolver`].

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Authority;

/// How an endpoint is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    None = 0,
    /// Connections are closed with a request unread: they are reset.
    Reset,
    /// Accepts and says nothing, as a process that was stopped; of TLS not even its part of the handshake.
    Silent,
    /// One octet a second.
    Drip,
    WrongStatus,
    WrongBody,
    /// A reply that is no HTTP.
    Garbage,
    /// Header fields without end.
    Endless,
    /// All is well but the end of its certificate, which is past.
    Expired,
}

/// The certificates of an endpoint with TLS.
struct Certificates {
    valid: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
}

/// The endpoint.
pub struct Breakable {
    pub address: SocketAddr,
    fault: Arc<AtomicU8>,
    delay_ms: Arc<AtomicU64>,
    open: Arc<AtomicUsize>,
}

impl Breakable {
    /// Listens on an address; port 0 takes one that is free.
    pub fn start(address: Ipv4Addr, port: u16) -> Self {
        Self::listen(address, port, None)
    }

    /// The same with TLS, as this name.
    pub fn start_tls(address: Ipv4Addr, port: u16, authority: &Authority, name: &str) -> Self {
        let valid = authority.certify(name, true);
        let expired = authority.certify(name, false);
        Self::listen(address, port, Some(Certificates { valid, expired }))
    }

    fn listen(address: Ipv4Addr, port: u16, certificates: Option<Certificates>) -> Self {
        let listener = TcpListener::bind((address, port)).expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let (fault, delay_ms, open) = (Arc::default(), Arc::default(), Arc::default());
        let this = Self { address, fault, delay_ms, open };
        let (fault, open) = (Arc::clone(&this.fault), Arc::clone(&this.open));
        let delay_ms = Arc::clone(&this.delay_ms);
        let certificates = Arc::new(certificates);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let fault = fault.load(Ordering::SeqCst);
                let delay = Duration::from_millis(delay_ms.load(Ordering::SeqCst));
                let (open, certificates) = (Arc::clone(&open), Arc::clone(&certificates));
                thread::spawn(move || {
                    open.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(delay);
                    // A prober that goes away is no business of ours.
                    let _ = serve(stream, fault, certificates.as_ref().as_ref());
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        this
    }

    /// Is broken like this from the next connection on.
    pub fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// Waits so long with its first word, which with TLS is not the last, from the next connection on.
    pub fn set_delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    /// Connections that are open at this moment.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

fn serve(
    mut stream: TcpStream,
    fault: u8,
    certificates: Option<&Certificates>,
) -> std::io::Result<()> {
    if fault == Fault::Reset as u8 {
        // Closing with something unread resets.
        thread::sleep(Duration::from_millis(20));
        return Ok(());
    }
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    if fault == Fault::Silent as u8 {
        // Until the other side goes away.
        while stream.read(&mut [0; 4096])? > 0 {}
        return Ok(());
    }
    let Some(certificates) = certificates else { return answer(stream, fault) };
    let is_expired = fault == Fault::Expired as u8;
    let config = if is_expired { &certificates.expired } else { &certificates.valid };
    let connection = ServerConnection::new(Arc::clone(config)).expect("a good configuration");
    answer(StreamOwned::new(connection, stream), fault)
}

fn answer(mut stream: impl Read + Write, fault: u8) -> std::io::Result<()> {
    let is = |one: Fault| fault == one as u8;
    let _ = stream.read(&mut [0; 4096])?;
    let (status, body) = match fault {
        fault if fault == Fault::WrongStatus as u8 => ("503 Unavailable", "fine"),
        fault if fault == Fault::WrongBody as u8 => ("200 OK", "on fire"),
        _ => ("200 OK", "fine"),
    };
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    if is(Fault::Garbage) {
        return stream.write_all(b"220 mail.example ESMTP\r\n");
    }
    if is(Fault::Endless) {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(b"X-More: and more and more and more\r\n")?;
        }
    }
    for octet in reply.as_bytes().chunks(if is(Fault::Drip) { 1 } else { reply.len() }) {
        stream.write_all(octet)?;
        stream.flush()?;
        if is(Fault::Drip) {
            thread::sleep(Duration::from_secs(1));
        }
    }
    Ok(())
}
