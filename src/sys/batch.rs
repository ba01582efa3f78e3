//! Many datagrams per system call: `recvmmsg` into a fixed arena, `sendmmsg` out of it.
//!
//! Answers of a batch to one client, as where many clients are behind one forwarder, leave as one message that the kernel cuts at
//! the last moment (UDP_SEGMENT, Linux 4.18): its way through the stack is most of what an answer costs, and it is
//! gone once for all of them. Where the kernel or the device does not do that, they leave one by one.
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
    c_uint, cmsghdr, in_pktinfo, in6_pktinfo, iovec, mmsghdr, msghdr, sockaddr_in, sockaddr_in6,
    sockaddr_storage,
};
use socket2::Socket;

use crate::limits::{UDP_ANSWER_OCTETS, UDP_BATCH, UDP_QUERY_OCTETS};

/// Room for one control message with an IPv6 address and an interface and one with a segment's length, aligned as the kernel wants
/// them.
#[repr(C, align(8))]
struct Control([u8; 96]);

/// Answers that the kernel takes as one message (`UDP_MAX_SEGMENTS` of all kernels that do).
const GROUP_ANSWERS: usize = 64;

/// Messages of a batch that may take more answers at a time: a client whose place another has taken begins a new one.
const OPEN_GROUPS: usize = 16;

/// Octets of such a message: what fits into an IPv4 packet with its headers.
const GROUP_OCTETS: usize = 65_000;

/// Octets of the headers of IPv6 and UDP, which older kernels count with the segments.
const HEADER_OCTETS: usize = 48;

/// Batches until it is tried again to send several answers as one message: what refuses them may be the way to one client.
const BATCHES_UNGROUPED: u32 = 10_000;

/// Everything that the kernel reads and writes. All-zero octets are a valid value of each field.
#[repr(C)]
struct Arena {
    queries: [[u8; UDP_QUERY_OCTETS]; UDP_BATCH],
    answers: [[u8; UDP_ANSWER_OCTETS]; UDP_BATCH],
    clients: [sockaddr_storage; UDP_BATCH],
    controls: [Control; UDP_BATCH],
    query_vectors: [iovec; UDP_BATCH],
    /// By message. One more than are used, so that the first ones do not all want the same place in the processor's cache.
    answer_vectors: [[iovec; GROUP_ANSWERS + 1]; UDP_BATCH],
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
    /// How many messages wait to be sent.
    outgoing: usize,
    /// Messages that may take one more answer, each at the place of its client.
    groups: [Option<Group>; OPEN_GROUPS],
    /// So many batches are sent one by one, since kernel or device refused messages of several answers.
    ungrouped: u32,
    /// The sockets tell where each datagram was sent to, and answers leave from there.
    has_destination: bool,
}

/// A message that may take one more answer.
#[derive(Clone, Copy, Debug)]
struct Group {
    message: usize,
    client: SocketAddr,
    /// Octets of the control message with the address that was asked; 0 without one.
    destination: usize,
    /// The first datagram that it answers.
    first: usize,
    /// The length of each answer in it.
    segment: usize,
    octets: usize,
}

// SAFETY: the arena is owned by this value alone; a raw pointer has no thread.
unsafe impl Send for Batch {}

/// One datagram of a batch, with room for its answer.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Which one of the batch it is.
    pub place: usize,
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
        let batch = Self {
            arena,
            received: 0,
            outgoing: 0,
            groups: [None; OPEN_GROUPS],
            ungrouped: 0,
            has_destination,
        };
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
        let (query, client, query_vector, header) = unsafe {
            (
                &raw mut (*arena).queries[index],
                &raw mut (*arena).clients[index],
                &raw mut (*arena).query_vectors[index],
                &raw mut (*arena).received[index].msg_hdr,
            )
        };
        // SAFETY: the places are aligned and zeroed, which is a valid value of each; the kernel is not at work yet.
        unsafe {
            *query_vector = iovec { iov_base: query.cast(), iov_len: UDP_QUERY_OCTETS };
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
        self.groups = [None; OPEN_GROUPS];
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
                    let client = datagram.client;
                    let length = answer(datagram).min(UDP_ANSWER_OCTETS);
                    if length != 0 {
                        self.enqueue(index, length, client);
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
        Some(Datagram { place: index, query: &query[..octets], client, answer })
    }

    /// How many datagrams the last receive brought.
    pub fn received(&self) -> usize {
        self.received
    }

    /// The octets of every datagram, whether it will be shown or not, in order of place.
    pub fn queries(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.received.min(UDP_BATCH)).map(|index| {
            let arena = self.arena.as_ptr();
            // SAFETY: the kernel is not at work; two places of the arena, borrowed from `self`.
            let (received, query) =
                unsafe { (&(*arena).received[index], &(*arena).queries[index]) };
            &query[..(received.msg_len as usize).min(UDP_QUERY_OCTETS)]
        })
    }

    /// Has the answer to a datagram sent, from the address that was asked.
    fn enqueue(&mut self, index: usize, length: usize, client: SocketAddr) {
        let destination = if self.has_destination { self.keep_destination(index) } else { 0 };
        let place = place_of(client);
        if self.join_group(place, index, length, client, destination) {
            return;
        }
        let message = self.outgoing;
        self.begin_message(index, length, destination);
        if self.ungrouped == 0 {
            self.groups[place] = Some(Group {
                message,
                client,
                destination,
                first: index,
                segment: length,
                octets: length,
            });
        }
    }

    /// Keeps of a datagram's control message what an answer needs, and gives its length; 0 if there is nothing.
    fn keep_destination(&mut self, index: usize) -> usize {
        let arena = self.arena.as_ptr();
        // SAFETY: the kernel is not at work; two places of the arena that do not overlap, used until the function ends.
        let (received, control) =
            unsafe { (&(*arena).received[index].msg_hdr, &mut (*arena).controls[index]) };
        let octets = control_octets(received);
        if forget_interface(control, octets) { octets } else { 0 }
    }

    /// Begins a message with the answer to a datagram.
    fn begin_message(&mut self, index: usize, length: usize, destination: usize) {
        let arena = self.arena.as_ptr();
        // SAFETY: the kernel is not at work; places inside the arena that do not overlap, used until the function ends.
        let (received, answer, control, vector, outgoing) = unsafe {
            (
                &(*arena).received[index].msg_hdr,
                &raw mut (*arena).answers[index],
                &raw mut (*arena).controls[index],
                &raw mut (*arena).answer_vectors[self.outgoing][0],
                &mut (*arena).outgoing[self.outgoing].msg_hdr,
            )
        };
        // SAFETY: an aligned place of the arena to which no reference exists.
        unsafe { *vector = iovec { iov_base: answer.cast(), iov_len: length } };
        outgoing.msg_name = received.msg_name;
        outgoing.msg_namelen = received.msg_namelen;
        outgoing.msg_iov = vector;
        outgoing.msg_iovlen = 1;
        outgoing.msg_control = if destination == 0 { null_mut() } else { control.cast() };
        outgoing.msg_controllen = destination as _;
        self.outgoing += 1;
    }

    /// Adds the answer to a datagram to the message at this place, if that goes to the same client from the same address, and all
    /// answers in it but the last are as long.
    fn join_group(
        &mut self,
        place: usize,
        index: usize,
        length: usize,
        client: SocketAddr,
        destination: usize,
    ) -> bool {
        let Some(mut group) = self.groups[place].filter(|group| group.client == client) else {
            return false;
        };
        let arena = self.arena.as_ptr();
        // SAFETY: the kernel is not at work; places inside the arena that do not overlap (a datagram begins one group at most, and
        // joins another later), used until the function ends.
        let (control_of_first, first, control, answer, vectors_of, outgoing) = unsafe {
            (
                &raw mut (*arena).controls[group.first],
                &mut (*arena).controls[group.first],
                &(*arena).controls[index],
                &raw mut (*arena).answers[index],
                &mut (*arena).answer_vectors[group.message],
                &mut (*arena).outgoing[group.message].msg_hdr,
            )
        };
        let octets = group.octets + length;
        let fits = length <= group.segment
            && destination == group.destination
            && octets <= GROUP_OCTETS
            && octets + HEADER_OCTETS <= GROUP_ANSWERS * group.segment
            && vectors(outgoing) < GROUP_ANSWERS
            && first.0[..destination] == control.0[..destination];
        if !fits {
            return false;
        }
        if vectors(outgoing) == 1 {
            let octets = add_segment(first, destination, group.segment);
            outgoing.msg_control = control_of_first.cast();
            outgoing.msg_controllen = octets as _;
        }
        vectors_of[vectors(outgoing)] = iovec { iov_base: answer.cast(), iov_len: length };
        outgoing.msg_iovlen += 1;
        group.octets += length;
        // A shorter one is the last.
        self.groups[place] = Some(group).filter(|group| group.segment == length);
        true
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
                    sent += (next..next + accepted).map(|at| self.answers_in(at)).sum::<usize>();
                    next += accepted;
                }
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() == io::ErrorKind::Interrupted {
                        continue;
                    }
                    if self.answers_in(next) > 1 && is_refusal(&error) {
                        sent += self.send_one_by_one(socket, next, &error);
                    }
                    next += 1;
                }
            }
        }
        self.outgoing = 0;
        self.ungrouped = self.ungrouped.saturating_sub(1);
        sent
    }

    /// How many answers a message has.
    fn answers_in(&self, message: usize) -> usize {
        // SAFETY: a place inside the arena; the kernel is not at work.
        vectors(unsafe { &(*self.arena.as_ptr()).outgoing[message].msg_hdr })
    }

    /// Sends the answers of a message that was refused as a whole, and tries no other for some time.
    fn send_one_by_one(&mut self, socket: &Socket, message: usize, error: &io::Error) -> usize {
        // SAFETY: a place inside the arena; the kernel is not at work.
        let whole = unsafe { (&raw const (*self.arena.as_ptr()).outgoing[message].msg_hdr).read() };
        let mut single = whole;
        single.msg_iovlen = 1;
        single.msg_controllen = (control_octets(&whole) - SEGMENT_OCTETS) as _;
        let mut sent = 0;
        for place in 0..self.answers_in(message) {
            // SAFETY: a message's vectors stand together, and `place` is below their number.
            single.msg_iov = unsafe { whole.msg_iov.add(place) };
            // SAFETY: the header points into the arena with true lengths.
            let result = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const single, 0) };
            sent += usize::from(result >= 0);
        }
        // A client to whom nothing can be sent says nothing of the others.
        if sent > 0 && self.ungrouped == 0 {
            self.ungrouped = BATCHES_UNGROUPED;
            tracing::debug!(%error, "answers to one client leave one by one for some time");
        }
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

/// Whether the kernel or a device says that it does not send several answers as one message, or not these.
fn is_refusal(error: &io::Error) -> bool {
    let codes = [libc::EIO, libc::EINVAL, libc::EOPNOTSUPP, libc::ENOPROTOOPT, libc::EMSGSIZE];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Where the message to a client is looked for. Ports differ in their lower bits most.
fn place_of(client: SocketAddr) -> usize {
    usize::from(client.port() ^ client.port() >> 4) % OPEN_GROUPS
}

/// How many parts a message has.
#[allow(clippy::unnecessary_cast, reason = "counts are `usize` with glibc, `i32` with musl")]
fn vectors(header: &msghdr) -> usize {
    header.msg_iovlen as usize
}

/// How long a message's control messages are.
#[allow(clippy::unnecessary_cast, reason = "lengths are `usize` with glibc, `u32` with musl")]
fn control_octets(header: &msghdr) -> usize {
    header.msg_controllen as usize
}

/// Octets of the control message that tells a segment's length, with its padding.
const SEGMENT_OCTETS: usize = 24;

/// Writes the control message that has the kernel cut a message into segments, behind what is there. Gives the octets of both.
fn add_segment(control: &mut Control, octets: usize, segment: usize) -> usize {
    let start = octets.next_multiple_of(align_of::<cmsghdr>());
    // Not every kernel's header ends with its last field.
    control.0[start..start + SEGMENT_OCTETS].fill(0);
    // SAFETY: the place is inside the control's octets, as the line above has checked, aligned as they are, and zero is a valid header.
    let header = unsafe { &mut *control.0.as_mut_ptr().add(start).cast::<cmsghdr>() };
    header.cmsg_len = (size_of::<cmsghdr>() + size_of::<u16>()) as _;
    header.cmsg_level = libc::SOL_UDP;
    header.cmsg_type = libc::UDP_SEGMENT;
    let length = u16::try_from(segment).unwrap_or(u16::MAX).to_ne_bytes();
    let at = start + size_of::<cmsghdr>();
    control.0[at..at + length.len()].copy_from_slice(&length);
    start + SEGMENT_OCTETS
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

    /// Answers of all lengths to two clients by turns and in rows: each gets its own, whole and in order, grouped or not.
    fn every_answer_arrives(listen: &str, ask: &str, groups: bool) {
        let socket = bind_udp(listen.parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let mut batch = Batch::new(listen.starts_with("0.0.0.0") || listen.starts_with("[::]"));
        batch.ungrouped = if groups { 0 } else { u32::MAX };
        let clients = [0, 1].map(|_| {
            let any = if ask.contains('.') { "127.0.0.1:0" } else { "[::1]:0" };
            let client = UdpSocket::bind(any).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            client.connect(format!("{ask}:{port}").parse::<SocketAddr>().unwrap()).unwrap();
            client
        });
        // Which client asks, for how many octets.
        let mut plan: Vec<(usize, u16)> = vec![(0, 40); 20];
        plan.extend([(0, 30), (0, 40), (1, 40), (0, 40), (1, 1232), (1, 1232), (1, 1), (1, 1)]);
        plan.extend((0..30).map(|number| (number % 2, 100)));
        plan.extend(vec![(1, 1232); 60]);
        plan.extend(vec![(0, 33); 64]);
        for (number, (client, length)) in (0u16..).zip(&plan) {
            let query = [number.to_be_bytes(), length.to_be_bytes()].concat();
            clients[*client].send(&query).unwrap();
        }
        let (mut seen, mut sent, mut messages) = (0, 0, 0);
        while seen < plan.len() {
            seen += batch.receive(&socket).unwrap();
            batch.answer_each(|Datagram { query, answer, .. }| {
                let length = usize::from(u16::from_be_bytes([query[2], query[3]]));
                answer[..length].fill(query[1]);
                length
            });
            messages += batch.outgoing;
            sent += batch.send(&socket);
        }
        assert_eq!(sent, plan.len());
        assert_eq!(messages < plan.len(), groups, "{messages} messages");
        for (number, (client, length)) in (0u8..).zip(&plan) {
            let mut buffer = [0; 2000];
            let octets = clients[*client].recv(&mut buffer).unwrap();
            assert_eq!((octets, buffer[0]), (usize::from(*length), number), "{listen}");
        }
    }

    #[test]
    fn answers_to_one_client_go_together_and_arrive_apart() {
        for (listen, ask) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")] {
            every_answer_arrives(listen, ask, true);
            every_answer_arrives(listen, ask, false);
        }
        every_answer_arrives("0.0.0.0:0", "127.0.0.7", true);
        every_answer_arrives("[::]:0", "[::1]", true);
    }

    /// Whatever the kernel says to a message of several answers, they leave all the same.
    #[test]
    fn what_is_refused_together_is_sent_one_by_one() {
        let socket = bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
        // Checksums that nobody computes are what the kernel wants for such messages.
        let option: libc::c_int = 1;
        // SAFETY: the pointer and the length describe `option`, which lives until the call returns.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NO_CHECK,
                (&raw const option).cast(),
                size_of::<libc::c_int>() as u32,
            )
        };
        assert_eq!(result, 0);
        let server = socket.local_addr().unwrap().as_socket().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut batch = Batch::new(false);
        for round in 0..2 {
            for _ in 0..10 {
                client.send_to(b"hello", server).unwrap();
            }
            let mut seen = 0;
            while seen < 10 {
                seen += batch.receive(&socket).unwrap();
                batch.answer_each(|Datagram { query, answer, .. }| {
                    answer[..5].copy_from_slice(query);
                    5
                });
                batch.send(&socket);
            }
            for _ in 0..10 {
                let mut buffer = [0; 16];
                assert_eq!(client.recv(&mut buffer).unwrap(), 5, "{round}");
            }
        }
        assert!(batch.ungrouped > 0, "it is not tried again soon");
    }

    #[test]
    fn nothing_received_in_time_is_no_failure() {
        let socket = bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let error = Batch::new(false).receive(&socket).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
