//! Many questions to one server: over UDP with a window of them under way, over TCP one after another.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::query_generator::Query;

/// Questions under way at once: small enough for the receive buffer of either side.
const WINDOW: usize = 48;

/// How long an answer may take on a loaded machine before the question is sent again, and how often it is sent.
const LOST: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 4;

/// The longest datagram.
const DATAGRAM_OCTETS: usize = 65_535;

/// Asks over UDP, and gives the answers in the order of the questions; an error names the question that got none.
pub fn ask_all(server: SocketAddr, queries: &[Query]) -> Result<Vec<Vec<u8>>, String> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("no UDP socket");
    socket.connect(server).expect("no UDP socket");
    socket.set_read_timeout(Some(LOST)).expect("no time limit");
    let mut answers = Vec::with_capacity(queries.len());
    for (number, window) in queries.chunks(WINDOW).enumerate() {
        // A late answer must not be taken for one of another window.
        let first_id = (number * WINDOW) as u16;
        answers.extend(ask_window(&socket, window, first_id)?);
    }
    Ok(answers)
}

fn ask_window(
    socket: &UdpSocket,
    queries: &[Query],
    first_id: u16,
) -> Result<Vec<Vec<u8>>, String> {
    let mut waiting: HashMap<u16, usize> = HashMap::new();
    for place in 0..queries.len() {
        waiting.insert(first_id.wrapping_add(place as u16), place);
    }
    let mut answers = vec![Vec::new(); queries.len()];
    for _ in 0..ATTEMPTS {
        for (id, place) in &waiting {
            // An error here is that of an earlier datagram; what was lost is asked again.
            let _ = socket.send(&queries[*place].octets(*id));
        }
        collect(socket, &mut waiting, &mut answers);
        if waiting.is_empty() {
            return Ok(answers);
        }
    }
    let unanswered = waiting.values().next().map(|place| queries[*place].dig());
    Err(format!("no answer to {}", unanswered.unwrap_or_default()))
}

/// Takes answers until all are there or one is missing for too long.
fn collect(socket: &UdpSocket, waiting: &mut HashMap<u16, usize>, answers: &mut [Vec<u8>]) {
    let (mut datagram, start) = (vec![0; DATAGRAM_OCTETS], Instant::now());
    while !waiting.is_empty() && start.elapsed() < 2 * LOST {
        let Ok(length) = socket.recv(&mut datagram) else { return };
        if let [high, low, ..] = datagram[..length]
            && let Some(place) = waiting.remove(&u16::from_be_bytes([high, low]))
        {
            answers[place] = datagram[..length].to_vec();
        }
    }
}

/// Asks over one TCP connection.
pub fn ask_stream(server: SocketAddr, queries: &[Query]) -> Result<Vec<Vec<u8>>, String> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let mut stream = TcpStream::connect(server).map_err(|error| format!("TCP: {error}"))?;
    stream.set_nodelay(true).expect("no TCP connection");
    stream.set_read_timeout(Some(LOST * ATTEMPTS)).expect("no time limit");
    let exchanged = queries.iter().enumerate().map(|(id, query)| {
        exchange(&mut stream, &query.octets(id as u16))
            .map_err(|error| format!("{error} on TCP at {}", query.dig()))
    });
    exchanged.collect()
}

fn exchange(stream: &mut TcpStream, octets: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(&[&(octets.len() as u16).to_be_bytes(), octets].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
