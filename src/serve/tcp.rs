//! DNS over TCP (RFC 7766): pipelined, with a bound on everything a client can hold.
//!
//! A connection's task reads what is there, answers every whole message in it, and writes the answers together. An idle
//! connection holds no buffer to speak of. When all places are taken, the connection that was idle longest gives way.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::counters::Tally;
use super::current_engine;
use crate::limits::{
    STREAM_MESSAGE_OCTETS, TCP_CONNECTIONS, TCP_IDLE_SECONDS, TCP_MESSAGE_SECONDS,
};
use crate::query::{Client, Scratch, Transport};
use crate::snapshot::Published;

/// Answers that are written at once: a client that pipelines without reading makes us hold no more.
const FLUSH_OCTETS: usize = 64 << 10;

/// Room that a connection waits with: for nearly every query, in one read.
const USUAL_QUERY_OCTETS: usize = 512;

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) published: Published,
    pub(super) tally: Arc<Tally>,
    pub(super) seed: u64,
    pub(super) places: Arc<Places>,
}

/// The connections of the whole server, so that the one idle longest can be found.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    last_active: Instant,
    leave: Arc<Notify>,
}

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
struct Place {
    number: u64,
    places: Arc<Places>,
    leave: Arc<Notify>,
}

impl Places {
    /// Takes a place. If there is none, the connection that was idle longest is told to leave.
    fn take(self: &Arc<Self>) -> Place {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.connections.len() >= TCP_CONNECTIONS {
            let idlest =
                taken.connections.iter().min_by_key(|(_, connection)| connection.last_active);
            if let Some(number) = idlest.map(|(number, _)| *number)
                && let Some(connection) = taken.connections.remove(&number)
            {
                connection.leave.notify_one();
            }
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        let leave = Arc::new(Notify::new());
        taken
            .connections
            .insert(number, Connection { last_active: Instant::now(), leave: Arc::clone(&leave) });
        Place { number, places: Arc::clone(self), leave }
    }
}

impl Place {
    fn touch(&self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = taken.connections.get_mut(&self.number) {
            connection.last_active = Instant::now();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .connections
            .remove(&self.number);
    }
}

/// Accepts connections for ever.
pub(super) async fn accept(listener: TcpListener, streams: Arc<Streams>) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                let place = streams.places.take();
                let streams = Arc::clone(&streams);
                tokio::spawn(async move {
                    let leave = Arc::clone(&place.leave);
                    let serving = serve(stream, client.ip().to_canonical(), &streams, &place);
                    tokio::select! {
                        // How a client ends its connection is its own affair.
                        _ = serving => {}
                        () = leave.notified() => {}
                    }
                });
            }
            // No file descriptor, most likely: wait for one instead of spinning.
            Err(error) => {
                tracing::warn!(%error, "can't accept a TCP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection until the client ends it, stalls, or sends what is no message.
async fn serve(
    mut stream: TcpStream,
    client: IpAddr,
    streams: &Streams,
    place: &Place,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut scratch = Scratch::new(streams.seed ^ place.number);
    let mut input = Vec::with_capacity(USUAL_QUERY_OCTETS);
    let mut deadline = after(TCP_IDLE_SECONDS);
    loop {
        let was_empty = input.is_empty();
        if timeout_at(deadline, stream.read_buf(&mut input)).await?? == 0 {
            return Ok(());
        }
        if split_message(&input).is_none() {
            // The clock of a message runs from its first octet, however the rest drips in.
            if was_empty {
                deadline = after(TCP_MESSAGE_SECONDS);
            }
            continue;
        }
        place.touch();
        let used = answer_all(&input, client, streams, &mut scratch, &mut stream, place).await?;
        input.drain(..used);
        deadline = after(if input.is_empty() { TCP_IDLE_SECONDS } else { TCP_MESSAGE_SECONDS });
        if input.is_empty() {
            input = Vec::with_capacity(USUAL_QUERY_OCTETS);
        }
    }
}

fn after(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// The first whole message of `input`, and what follows it (RFC 1035 §4.2.2).
fn split_message(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Answers every whole message of `input`. Gives the octets that were used up.
async fn answer_all(
    input: &[u8],
    client: IpAddr,
    streams: &Streams,
    scratch: &mut Scratch,
    stream: &mut TcpStream,
    place: &Place,
) -> io::Result<usize> {
    let mut rest = input;
    let mut output = Vec::new();
    while let Some((message, after)) = split_message(rest) {
        rest = after;
        if !answer_one(message, client, streams, scratch, &mut output) {
            // A message that deserves silence has no place on a stream that both ends agreed to.
            write(stream, &output).await?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        if output.len() >= FLUSH_OCTETS {
            write(stream, &output).await?;
            place.touch();
            output.clear();
        }
    }
    write(stream, &output).await?;
    Ok(input.len() - rest.len())
}

thread_local! {
    /// Room for the longest answer there can be. Answering does not wait, so that one per thread of the runtime serves all
    /// connections, and a connection holds only what it was really answered.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; STREAM_MESSAGE_OCTETS].into());
}

/// Appends the answer to one message with its length. False for silence.
fn answer_one(
    message: &[u8],
    client: IpAddr,
    streams: &Streams,
    scratch: &mut Scratch,
    output: &mut Vec<u8>,
) -> bool {
    let live = streams.published.load();
    let engine = current_engine(&live);
    let client = Client { address: client, transport: Transport::Stream };
    ROOM.with_borrow_mut(|room| {
        let outcome = engine.answer(scratch, message, client, room);
        streams.tally.count(&outcome);
        let answer = room.get(..outcome.octets).unwrap_or_default();
        if let Ok(length @ 1..) = u16::try_from(answer.len()) {
            output.extend(length.to_be_bytes());
            output.extend(answer);
        }
        outcome.octets != 0
    })
}

async fn write(stream: &mut TcpStream, output: &[u8]) -> io::Result<()> {
    timeout(Duration::from_secs(TCP_MESSAGE_SECONDS), stream.write_all(output)).await?
}
