//! The way to an endpoint: sockets that probes are sent from.
//!
//! Every one of them asks the [egress list](super::egress) first, and leaves from the check's source address where it has one
//! of the endpoint's family. The first poll makes the system call: what fails there was said by our own kernel, what fails
//! later by the network.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::pin;
use std::task::Poll;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, UdpSocket};

use super::blame::{Miss, Raised, judge_io};
use super::stream::{Bounded, Stream};
use super::tls;
use super::trial::Trial;
use crate::health::TlsCheck;
use crate::sys::socket::bind_source;

/// What is said in a TLS handshake: how it is to be done, and the name of the endpoint if it has one.
pub(super) type Below<'a> = Option<(&'a TlsCheck, Option<&'a str>)>;

/// Connects to one fixed address, with TLS where there is to be some below what will be spoken.
pub(super) async fn open(
    trial: &Trial<'_>,
    address: SocketAddr,
    below: Below<'_>,
    is_http2: bool,
) -> Result<Stream, Miss> {
    match below {
        None => connect(trial, address).await.map(Stream::Plain),
        Some((check, host)) => {
            let stream = tls::open(trial, address, check, host, is_http2).await?;
            Ok(Stream::Tls(Box::new(stream)))
        }
    }
}

/// Connects to one fixed address.
pub(super) async fn connect(trial: &Trial<'_>, address: SocketAddr) -> Result<Bounded, Miss> {
    trial.tools.egress.expect(address)?;
    let socket = open_stream_socket(trial, address).map_err(at_once)?;
    let mut connecting = pin!(socket.connect(address));
    let (result, raised) = match poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await {
        Poll::Ready(result) => (result, Raised::AtOnce),
        Poll::Pending => (connecting.await, Raised::Afterwards),
    };
    let stream = result.map_err(|error| judge_io(&error, raised))?;
    Ok(Bounded::new(stream, &trial.intake))
}

/// A socket for datagrams of a protocol to and from one address only.
pub(super) fn open_datagrams(
    trial: &Trial<'_>,
    address: SocketAddr,
    protocol: Protocol,
) -> Result<UdpSocket, Miss> {
    trial.tools.egress.expect(address)?;
    let open = || {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        bind(trial, address.ip(), &socket)?;
        socket.connect(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(at_once)
}

/// A socket that sends at once: a request right behind the end of a TLS handshake would otherwise wait for the endpoint's
/// delayed acknowledgement, which adds 40 ms to the latency that is measured.
fn open_stream_socket(trial: &Trial<'_>, address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_nodelay(true)?;
    bind(trial, address.ip(), &socket)?;
    Ok(socket)
}

/// Binds to the source of the endpoint's family, if the check has one.
fn bind(trial: &Trial<'_>, address: IpAddr, socket: &impl AsFd) -> io::Result<()> {
    let sources = &trial.check().sources;
    match sources.iter().find(|source| source.is_ipv4() == address.is_ipv4()) {
        Some(source) => bind_source(socket, *source),
        None => Ok(()),
    }
}

fn at_once(error: io::Error) -> Miss {
    judge_io(&error, Raised::AtOnce)
}
