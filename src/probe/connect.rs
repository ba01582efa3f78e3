//! The way to an endpoint: a connected socket, and a bound on what comes back through it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use super::blame::{Miss, Raised, TooLong, judge_io};
use crate::limits::PROBE_REPLY_OCTETS;

/// Connects to one fixed address.
///
/// The first poll makes the system call: what fails there was said by our own kernel, what fails later by the network.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Miss> {
    let socket = open_socket(address).map_err(|error| judge_io(&error, Raised::AtOnce))?;
    let mut connecting = pin!(socket.connect(address));
    let (result, raised) = match poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await {
        Poll::Ready(result) => (result, Raised::AtOnce),
        Poll::Pending => (connecting.await, Raised::Afterwards),
    };
    result.map_err(|error| judge_io(&error, raised))
}

/// A socket that sends at once: a request right behind the end of a TLS handshake would otherwise wait for the endpoint's
/// delayed acknowledgement, which adds 40 ms to the latency that is measured.
fn open_socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A stream that gives up with [`TooLong`] once the peer has sent more than a probe has to read, TLS handshake included.
pub(super) struct Bounded {
    stream: TcpStream,
    /// Octets that may still come in.
    left: usize,
}

impl Bounded {
    /// Bounds a fresh connection by [`PROBE_REPLY_OCTETS`].
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, left: PROBE_REPLY_OCTETS }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let octets = buffer.filled().len().saturating_sub(before);
        match self.left.checked_sub(octets) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other(TooLong))),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
