//! What octets come in through: a bound on how many, and the same face for connections with and without TLS.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::blame::{Miss, Raised, TooLong, judge_io};
use crate::health::FailureReason;
use crate::limits::PROBE_REPLY_OCTETS;

/// What came in during one attempt, over all its connections: how much more may, and how the last connection ended.
pub(super) struct Intake {
    left: AtomicUsize,
    /// Protocols above wrap errors until their cause can't be told any more; here it is kept as it was raised.
    miss: Mutex<Option<Miss>>,
}

impl Default for Intake {
    fn default() -> Self {
        Self { left: AtomicUsize::new(PROBE_REPLY_OCTETS), miss: Mutex::default() }
    }
}

impl Intake {
    /// Why nothing comes in any more, if that is so.
    pub(super) fn miss(&self) -> Option<Miss> {
        self.miss.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, miss: Option<Miss>) {
        *self.miss.lock().unwrap_or_else(PoisonError::into_inner) = miss;
    }

    /// Counts what came in against the bound.
    fn take(&self, octets: usize) -> io::Result<()> {
        let take = |left: usize| left.checked_sub(octets);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other(TooLong)),
        }
    }
}

/// A connection that gives up with [`TooLong`] once more has come in than a probe has to read, TLS handshake included.
pub(super) struct Bounded {
    stream: TcpStream,
    intake: Arc<Intake>,
}

impl Bounded {
    /// Bounds a fresh connection by what its attempt may still read of [`PROBE_REPLY_OCTETS`].
    pub(super) fn new(stream: TcpStream, intake: &Arc<Intake>) -> Self {
        intake.note(None);
        Self { stream, intake: Arc::clone(intake) }
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let octets = buffer.filled().len().saturating_sub(before);
        if octets == 0 && buffer.remaining() > 0 {
            self.intake.note(Some(Miss::Failure(FailureReason::Closed)));
        }
        Poll::Ready(self.intake.take(octets))
    }

    fn keep<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.intake.note(Some(judge_io(error, Raised::Afterwards))))
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = ready!(self.poll_take(cx, buffer));
        Poll::Ready(self.keep(result))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        // What can't be written is said by what can't be read: a peer that refuses may have told why before it closed.
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection that a protocol is spoken over.
pub(super) enum Stream {
    Plain(Bounded),
    Tls(Box<TlsStream<Bounded>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
