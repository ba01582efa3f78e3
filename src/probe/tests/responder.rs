//! Endpoints for the tests: a listener on a free port of 127.0.0.1 and what it does with a connection.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// An endpoint that goes away with this value.
pub(super) struct Responder {
    pub(super) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Responder {
    /// Gives every connection to `serve`.
    pub(super) async fn start<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::start_on(0, serve).await
    }

    /// The same on a port that is known beforehand.
    pub(super) async fn start_on<F, S>(port: u16, serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, accepted, task: task.abort_handle() }
    }

    /// Answers every request with the same octets, then closes.
    pub(super) async fn reply(octets: impl Into<Vec<u8>>) -> Self {
        let octets: Arc<[u8]> = octets.into().into();
        Self::start(move |mut stream| {
            let octets = Arc::clone(&octets);
            async move {
                read_request(&mut stream).await;
                close_after(stream, &octets).await;
            }
        })
        .await
    }

    /// Answers with a status line and nothing more.
    pub(super) async fn status(status: u16) -> Self {
        Self::reply(status_reply(status)).await
    }

    /// Answers with whatever status is in `status` at that time.
    pub(super) async fn switched(status: Arc<AtomicUsize>) -> Self {
        Self::start(move |mut stream| {
            let status = Arc::clone(&status);
            async move {
                read_request(&mut stream).await;
                let status = u16::try_from(status.load(Ordering::SeqCst)).unwrap();
                close_after(stream, &status_reply(status)).await;
            }
        })
        .await
    }

    /// Accepts, reads and never says a word.
    pub(super) async fn silent() -> Self {
        Self::start(|mut stream| async move {
            read_request(&mut stream).await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        })
        .await
    }

    /// Connections so far.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a responder was asked, for the test to look at.
#[derive(Clone, Default)]
pub(super) struct Asked(Arc<Mutex<String>>);

impl Asked {
    pub(super) fn put(&self, request: String) {
        *self.0.lock().unwrap() = request;
    }

    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// An address of the loopback interface on which nobody listens.
pub(super) async fn deserted() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(super) fn status_reply(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into()
}

/// Reads a request up to its empty line, or as much of it as comes.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => request.push(octet),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// Writes, then waits for the other side to close, so that no reset overtakes the octets.
pub(super) async fn close_after(mut stream: impl AsyncRead + AsyncWrite + Unpin, octets: &[u8]) {
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}
