//! Many datagrams per system call: `recvmmsg` into a fixed arena, `sendmmsg` out of it.
//!
//! The arena is allocated once and never moves, so that the message headers can point into it. It is reached through one
//! raw pointer only, and references into it live no longer than one call: the kernel and Rust never hold it at once.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::ptr::{NonNull, null_mut};

use libc::{
    c_uint, cmsghdr, in_pktinfo, in6_pktinfo, iovec, mmsghdr, sockaddr_in, sockaddr_in6,
    sockaddr_storage,
};
use socket2::Socket;

use crate::limits::{UDP_ANSWER_OCTETS, UDP_BATCH, UDP_QUERY_OCTETS};

/// Room for one control message with an IPv6 address and an interface, aligned as the kernel writes it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Everything that the kernel reads and writes. All-zero octets are a valid value of each field.
#[repr(C)]
struct Arena {
    queries: [[u8; UDP_QUERY_OCTETS]; UDP_BATCH],
    answers: [[u8; UDP_ANSWER_OCTETS]; UDP_BATCH],
    clients: [sockaddr_storage; UDP_BATCH],
    controls: [Control; UDP_BATCH],
    query_vectors: [iovec; UDP_BATCH],
    answer_vectors: [iovec; UDP_BATCH],
    received: [mmsghdr; UDP_BATCH],
    outgoing: [mmsghdr; UDP_BATCH],
}

const LAYOUT: Layout = Layout::new::<Arena>();

/// A batch of datagrams, received and answered together.
#[derive(Debug)]
pub struct Batch {
    arena: NonNull<Arena>,
    /// How many datagrams the last receive brought.
    received: usize,
    /// How many answers wait to be sent.
    outgoing: usize,
    /// The sockets tell where each datagram was sent to, and answers leave from there.
    has_destination: bool,
}

// SAFETY: the arena is owned by this value alone; a raw pointer has no thread.
unsafe impl Send for Batch {}

/// One datagram of a batch, with room for its answer.
#[derive(Debug)]
pub struct Datagram<'a> {
    pub query: &'a [u8],
    pub client: SocketAddr,
    pub answer: &'a mut [u8; UDP_ANSWER_OCTETS],
}

impl Batch {
    /// Makes an empty batch. `has_destination` must be true if the socket is bound to a wildcard address.
    pub fn new(has_destination: bool) -> Self {
        // SAFETY: the layout's size is not zero.
        let pointer = unsafe { alloc_zeroed(LAYOUT) }.cast::<Arena>();
        let Some(arena) = NonNull::new(pointer) else { handle_alloc_error(LAYOUT) };
        let batch = Self { arena, received: 0, outgoing: 0, has_destination };
        for index in 0..UDP_BATCH {
            batch.prepare(index);
        }
        batch
    }

    /// Points the headers of one datagram at its buffers, which they do for ever after.
    fn prepare(&self, index: usize) {
        assert!(index < UDP_BATCH);
        let arena = self.arena.as_ptr();
        // SAFETY: the arena is allocated, and `index` is inside each array: these are places in it, and no reference is made
        // that would end the life of another pointer.
        let (query, answer, client, query_vector, answer_vector, header) = unsafe {
            (
                &raw mut (*arena).queries[index],
                &raw mut (*arena).answers[index],
                &raw mut (*arena).clients[index],
                &raw mut (*arena).query_vectors[index],
                &raw mut (*arena).answer_vectors[index],
                &raw mut (*arena).received[index].msg_hdr,
            )
        };
        // SAFETY: the places are aligned and zeroed, which is a valid value of each; the kernel is not at work yet.
        unsafe {
            *query_vector = iovec { iov_base: query.cast(), iov_len: UDP_QUERY_OCTETS };
            *answer_vector = iovec { iov_base: answer.cast(), iov_len: 0 };
            (*header).msg_name = client.cast();
            (*header).msg_iov = query_vector;
            (*header).msg_iovlen = 1;
        }
        self.reset(index);
    }

    /// Gives the kernel back the whole length of what it shortened.
    fn reset(&self, index: usize) {
        assert!(index < UDP_BATCH);
        let arena = self.arena.as_ptr();
        // SAFETY: as in `prepare`: places inside the arena, by raw pointer only.
        let (control, header) = unsafe {
            (&raw mut (*arena).controls[index], &raw mut (*arena).received[index].msg_hdr)
        };
        // SAFETY: the header is valid, and the kernel is not at work.
        unsafe {
            (*header).msg_namelen =
                libc::socklen_t::try_from(size_of::<sockaddr_storage>()).unwrap_or(128);
            (*header).msg_flags = 0;
            if self.has_destination {
                (*header).msg_control = control.cast();
                (*header).msg_controllen = size_of::<Control>() as _;
            }
        }
    }

    /// Waits for datagrams and takes what is there. Nothing came in time: `WouldBlock`.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        for index in 0..self.received {
            self.reset(index);
        }
        (self.received, self.outgoing) = (0, 0);
        // SAFETY: the arena outlives the call, and no reference into it exists while the kernel writes.
        let headers = unsafe { &raw mut (*self.arena.as_ptr()).received }.cast::<mmsghdr>();
        let count = UDP_BATCH as c_uint;
        // SAFETY: `headers` are `count` headers whose names, vectors and controls point into the arena with true lengths.
        let result = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers, count, libc::MSG_WAITFORONE, null_mut())
        };
        self.received = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        Ok(self.received)
    }

    /// Answers each datagram by `answer`, which gives the length of what it wrote; 0 is silence. A datagram from port 0, one
    /// that was too long to be read whole, and one from what is no Internet address are not shown. Gives how many were not.
    pub fn answer_each(&mut self, mut answer: impl FnMut(Datagram<'_>) -> usize) -> usize {
        let mut unseen = 0;
        for index in 0..self.received.min(UDP_BATCH) {
            match self.datagram(index) {
                Some(datagram) => {
                    let length = answer(datagram).min(UDP_ANSWER_OCTETS);
                    if length != 0 {
                        self.enqueue(index, length);
                    }
                }
                None => unseen += 1,
            }
        }
        unseen
    }

    fn datagram(&mut self, index: usize) -> Option<Datagram<'_>> {
        let arena = self.arena.as_ptr();
        // SAFETY: the kernel is not at work; these are four places of the arena that do not overlap, borrowed from `self`.
        let (received, client, query, answer) = unsafe {
            (
                &(*arena).received[index],
                &(*arena).clients[index],
                &(*arena).queries[index],
                &mut (*arena).answers[index],
            )
        };
        let octets = (received.msg_len as usize).min(UDP_QUERY_OCTETS);
        let was_cut = received.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        let client = read_address(client).filter(|client| client.port() != 0 && !was_cut)?;
        Some(Datagram { query: &query[..octets], client, answer })
    }

    /// Makes the answer to a datagram the next one to be sent, from the address that was asked.
    #[allow(
        clippy::unnecessary_cast,
        reason = "control lengths are `usize` with glibc, `u32` with musl"
    )]
    fn enqueue(&mut self, index: usize, length: usize) {
        let arena = self.arena.as_ptr();
        // SAFETY: the kernel is not at work; places inside the arena that do not overlap, used until the function ends.
        let (received, control, answer_vector, outgoing) = unsafe {
            (
                &(*arena).received[index].msg_hdr,
                &mut (*arena).controls[index],
                &raw mut (*arena).answer_vectors[index],
                &mut (*arena).outgoing[self.outgoing].msg_hdr,
            )
        };
        // SAFETY: a valid vector of the arena, to which no reference exists.
        unsafe { (*answer_vector).iov_len = length };
        outgoing.msg_name = received.msg_name;
        outgoing.msg_namelen = received.msg_namelen;
        outgoing.msg_iov = answer_vector;
        outgoing.msg_iovlen = 1;
        outgoing.msg_control = null_mut();
        outgoing.msg_controllen = 0;
        if self.has_destination && forget_interface(control, received.msg_controllen as usize) {
            outgoing.msg_control = received.msg_control;
            outgoing.msg_controllen = received.msg_controllen;
        }
        self.outgoing += 1;
    }

    /// Sends the answers. One that can't be sent is skipped, so that a client without a route back harms nobody else. Gives
    /// how many were sent.
    pub fn send(&mut self, socket: &Socket) -> usize {
        let mut next = 0;
        let mut sent = 0;
        while next < self.outgoing {
            let count = (self.outgoing - next) as c_uint;
            // SAFETY: `next` is below the number of headers, so that the pointer stays inside the array.
            let headers =
                unsafe { (&raw mut (*self.arena.as_ptr()).outgoing).cast::<mmsghdr>().add(next) };
            // SAFETY: `count` headers from there on were filled by `answer_each` and point into the arena.
            let result = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, 0) };
            match usize::try_from(result) {
                Ok(accepted) => {
                    next += accepted;
                    sent += accepted;
                }
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                Err(_) => next += 1,
            }
        }
        self.outgoing = 0;
        sent
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `alloc_zeroed` with the same layout, and nothing in an `Arena` needs dropping.
        unsafe { dealloc(self.arena.as_ptr().cast(), LAYOUT) };
    }
}

/// The client's address as the kernel wrote it.
fn read_address(storage: &sockaddr_storage) -> Option<SocketAddr> {
    let pointer = std::ptr::from_ref(storage);
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: a `sockaddr_storage` is large enough and aligned for a `sockaddr_in`, which its family says it holds.
            let address = unsafe { &*pointer.cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(address.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for `sockaddr_in6`.
            let address = unsafe { &*pointer.cast::<sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(
                ip,
                u16::from_be(address.sin6_port),
                0,
                address.sin6_scope_id,
            )))
        }
        _ => None,
    }
}

/// Keeps of a received destination what an answer needs: the address to leave from. The interface is left to the routing
/// table, but for link-local addresses, which mean nothing without it. False if there is no destination to keep.
fn forget_interface(control: &mut Control, octets: usize) -> bool {
    let header_octets = size_of::<cmsghdr>();
    if octets < header_octets + size_of::<in_pktinfo>() {
        return false;
    }
    let base = control.0.as_mut_ptr();
    // SAFETY: `Control` is aligned for and larger than a `cmsghdr`, and the kernel wrote at least that much.
    let header = unsafe { &*base.cast::<cmsghdr>() };
    match (header.cmsg_level, header.cmsg_type) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // SAFETY: the data of the control message follows its header, is of this type, and fits as checked above.
            let info = unsafe { &mut *base.add(header_octets).cast::<in_pktinfo>() };
            info.ipi_ifindex = 0;
            true
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
            if octets >= header_octets + size_of::<in6_pktinfo>() =>
        {
            // SAFETY: as above, for the type of IPv6.
            let info = unsafe { &mut *base.add(header_octets).cast::<in6_pktinfo>() };
            if !Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local() {
                info.ipi6_ifindex = 0;
            }
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::super::socket::bind_udp;
    use super::*;

    fn echo_through(listen: &str, ask: &str) -> SocketAddr {
        let socket = bind_udp(listen.parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let mut batch = Batch::new(listen.starts_with("0.0.0.0") || listen.starts_with("[::]"));
        let client =
            UdpSocket::bind(if ask.contains('.') { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let server: SocketAddr = format!("{ask}:{port}").parse().unwrap();
        for _ in 0..3 {
            client.send_to(b"hello", server).unwrap();
            client.send_to(b"drop", server).unwrap();
        }
        let mut seen = 0;
        while seen < 6 {
            seen += batch.receive(&socket).unwrap();
            batch.answer_each(|datagram| {
                if datagram.query == b"drop" {
                    return 0;
                }
                datagram.answer[..5].copy_from_slice(datagram.query);
                5
            });
            batch.send(&socket);
        }
        let mut buffer = [0; 16];
        let mut from = None;
        for _ in 0..3 {
            let (length, address) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"hello");
            from = Some(address);
        }
        assert_eq!(from, Some(server));
        server
    }

    #[test]
    fn datagrams_come_back_from_the_address_that_was_asked() {
        echo_through("127.0.0.1:0", "127.0.0.1");
        echo_through("[::1]:0", "[::1]");
        echo_through("0.0.0.0:0", "127.0.0.7");
        echo_through("[::]:0", "[::1]");
    }

    #[test]
    fn nothing_received_in_time_is_no_failure() {
        let socket = bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let error = Batch::new(false).receive(&socket).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
