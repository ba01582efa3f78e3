//! Sockets with the options that an authoritative server wants.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::limits::TCP_SEND_BUFFER_OCTETS;

/// Octets asked for as a UDP socket's receive buffer, so that a burst of some thousand queries waits instead of being lost.
/// The kernel may grant less (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 << 20;

/// How long a worker sleeps at most before it looks whether it should stop, or let go of an old snapshot.
pub const WAKE_UP: Duration = Duration::from_millis(500);

/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 1024;

/// Binds a UDP socket that shares its address with those of the other workers.
pub fn bind_udp(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A refusal only means smaller bursts.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    never_fragment_by_rumour(&socket, address)?;
    if address.ip().is_unspecified() {
        tell_destination(&socket, address)?;
    }
    socket.set_read_timeout(Some(WAKE_UP))?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Binds a TCP socket and listens on it.
pub fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit it. A refusal only means more memory for clients that don't read.
    let _ = socket.set_send_buffer_size(TCP_SEND_BUFFER_OCTETS);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds a socket that will connect to an address of ours. Its port is chosen when it connects, so that there may be as many as
/// 28,000 connections to each endpoint and not all together (`IP_BIND_ADDRESS_NO_PORT`, Linux 4.2).
pub fn bind_source(socket: &impl AsFd, source: IpAddr) -> io::Result<()> {
    let descriptor = socket.as_fd().as_raw_fd();
    // A kernel that does not know it only has fewer ports.
    let _ = set_option(descriptor, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    SockRef::from(socket).bind(&SocketAddr::new(source, 0).into())
}

/// Ignores path MTU news, which anybody can forge: answers are at most 1232 octets and need no fragments (RFC 9715 §3.1). Setting DF
/// as well (`IP_PMTUDISC_PROBE`) would save the kernel the draw of an identification, but the host would believe such news then, and a
/// path that is narrower would swallow answers whole.
fn never_fragment_by_rumour(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    if address.is_ipv6() {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    }
}

/// Asks to be told which address each datagram was sent to, so that the answer leaves from it. Only a socket on a wildcard
/// address needs that; it costs 4 %.
fn tell_destination(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    if address.is_ipv6() {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

fn set_option(fd: RawFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(4);
    // SAFETY: the pointer and the length describe `value`, which lives until the call returns.
    let result = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
