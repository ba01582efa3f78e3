//! A receiver of webhooks: an HTTP server on a loopback address that does what it is told, one act per request.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, wait_until};

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers with a status and these header lines.
    Answer(u16, &'static str),
    /// Answers with a body of so many octets behind the status 200.
    Talk(usize),
    /// Says nothing until the other side gives up.
    Hang,
    /// Closes the connection.
    Close,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Received {
    pub head: String,
    pub body: Value,
    pub at: Instant,
    /// What was done with it.
    pub act: Act,
}

/// The receiver. It lives as long as the test.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    acts: Mutex<VecDeque<Act>>,
    received: Mutex<Vec<Received>>,
}

impl Receiver {
    /// Does the acts in order, and then answers 200.
    pub fn start(acts: &[Act]) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").expect("no free port on loopback"), acts)
    }

    /// The same on an address on which nothing listens.
    pub fn start_at(address: SocketAddr, acts: &[Act]) -> Self {
        Self::listen(TcpListener::bind(address).expect("the port was taken meanwhile"), acts)
    }

    fn listen(listener: TcpListener, acts: &[Act]) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        shared.acts.lock().unwrap().extend(acts.iter().cloned());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The bodies that it answered 200.
    pub fn taken(&self) -> Vec<Value> {
        let is_taken = |one: &Received| matches!(one.act, Act::Answer(200, _) | Act::Talk(_));
        self.received().into_iter().filter(is_taken).map(|one| one.body).collect()
    }

    /// Waits for so many requests.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        wait_until(&format!("{count} requests came"), 2 * PATIENCE, || {
            self.shared.received.lock().unwrap().len() >= count
        });
        self.received()
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let Some((head, body)) = read_request(&mut stream) else { return };
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Answer(200, ""));
        let body = serde_json::from_slice(&body).expect("a body is JSON");
        let received = Received { head, body, at: Instant::now(), act: act.clone() };
        self.received.lock().unwrap().push(received);
        match act {
            Act::Answer(status, lines) => {
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Whatever\r\n{lines}Content-Length: 3\r\nConnection: close\r\n\r\nok\n"
                );
            }
            Act::Talk(octets) => {
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {octets}\r\n\r\n");
                let _ = stream.write_all(&vec![b'x'; octets]);
            }
            Act::Hang => {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                let _ = stream.read(&mut [0]);
            }
            Act::Close => {}
        }
    }
}

/// Head and body, as long as the head says.
pub fn read_request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let (mut octets, mut chunk) = (Vec::<u8>::new(), [0; 4096]);
    loop {
        if let Some(end) = octets.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&octets[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let length: usize = length.unwrap_or(0);
            if octets.len() >= end + 4 + length {
                return Some((head, octets[end + 4..end + 4 + length].to_vec()));
            }
        }
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => octets.extend(&chunk[..length]),
            _ => return None,
        }
    }
}
