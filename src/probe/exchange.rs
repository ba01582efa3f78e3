//! One request and its reply, over HTTP/1.1 or HTTP/2, on a stream that we connected: which is what lets address, SNI and Host
//! differ.
//!
//! All of it runs in the probe's own task. hyper wants to spawn what drives an HTTP/2 connection; a [`Crew`] takes that in, so
//! that nothing of a probe is left when its time is over. A reply's windows are small: an endpoint can't send ahead more than
//! is read.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;

use super::blame::{Miss, TooLong, judge_http, judge_too_long};
use super::body::Body;
use super::stream::{Intake, Stream};
use super::trial::within;
use crate::health::Phases;
use crate::limits::{PROBE_HEADER_FIELDS, PROBE_HEADER_OCTETS, PROBE_WINDOW_OCTETS};

/// A request with its body, which is short.
pub(super) type Asked = Request<Full<Bytes>>;

/// What is read of a reply behind its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    /// The first octets of the decoded body.
    Start(usize),
    /// All of it, trailers too; more decoded octets than these are an error.
    Whole(usize),
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
}

/// Sends the request and reads as much of the reply as is wanted, given its status (Route 53 rule 64).
pub(super) async fn exchange(
    stream: Stream,
    is_http2: bool,
    request: Asked,
    phases: &Phases,
    intake: &Arc<Intake>,
    wanted: impl Fn(u16) -> Wanted,
) -> Result<Reply, Miss> {
    let judge = |error: hyper::Error| judge_http(&error, intake);
    if is_http2 {
        let crew = Crew::default();
        let shaking = http2_builder(&crew).handshake(TokioIo::new(stream));
        let (mut sender, connection) = shaking.await.map_err(judge)?;
        let talk = converse(sender.send_request(request), phases, intake, wanted);
        alongside(talk, crew.run(connection)).await
    } else {
        let shaking = http1_builder().handshake(TokioIo::new(stream));
        let (mut sender, connection) = shaking.await.map_err(judge)?;
        let talk = converse(sender.send_request(request), phases, intake, wanted);
        alongside(talk, connection).await
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(PROBE_HEADER_OCTETS)
        .max_header_size(PROBE_HEADER_OCTETS)
        .max_headers(PROBE_HEADER_FIELDS);
    builder
}

fn http2_builder(crew: &Crew) -> http2::Builder<Crew> {
    let mut builder = http2::Builder::new(crew.clone());
    builder
        .initial_stream_window_size(PROBE_WINDOW_OCTETS)
        .initial_connection_window_size(PROBE_WINDOW_OCTETS)
        .max_header_list_size(u32::try_from(PROBE_HEADER_OCTETS).unwrap_or(u32::MAX));
    builder
}

async fn converse(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
    phases: &Phases,
    intake: &Intake,
    wanted: impl Fn(u16) -> Wanted,
) -> Result<Reply, Miss> {
    let response = async { response.await.map_err(|error| judge_http(&error, intake)) };
    let (header, body) = within(phases.reply, response).await?.into_parts();
    let status = header.status.as_u16();
    let mut reply =
        Reply { status, headers: header.headers, body: Vec::new(), trailers: HeaderMap::new() };
    within(phases.body, async {
        match wanted(status) {
            Wanted::Nothing => Ok(()),
            Wanted::Start(octets) => read(body, &mut reply, octets, false, intake).await,
            Wanted::Whole(octets) => read(body, &mut reply, octets, true, intake).await,
        }
    })
    .await?;
    Ok(reply)
}

/// Reads the body into the reply, all of it or up to `most` decoded octets.
async fn read(
    mut incoming: Incoming,
    reply: &mut Reply,
    most: usize,
    is_whole: bool,
    intake: &Intake,
) -> Result<(), Miss> {
    // One more than what is wanted tells a whole body from one that is longer.
    let mut body = Body::new(&reply.headers, most.saturating_add(usize::from(is_whole)))?;
    while !body.is_full() {
        let Some(frame) = incoming.frame().await else { break };
        let frame = frame.map_err(|error| judge_http(&error, intake))?;
        match frame.into_data() {
            Ok(octets) => body = body.push(&octets)?,
            Err(frame) => reply.trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    if is_whole && body.is_full() {
        return Err(judge_too_long(&TooLong));
    }
    reply.body = body.finish()?;
    Ok(())
}

/// Runs `work` to its end, and what it needs to be done meanwhile.
async fn alongside<T>(work: impl Future<Output = T>, background: impl Future) -> T {
    let (mut work, background) = (pin!(work), pin!(background));
    tokio::select! {
        biased;
        done = &mut work => done,
        // The connection has done all it can: the reply is in, or the error why it is not.
        _ = background => work.await,
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper would spawn, kept in the task that the connection belongs to.
#[derive(Clone, Default)]
struct Crew {
    /// Hired and not yet taken up by [`Crew::run`].
    hired: Arc<Mutex<Vec<Task>>>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Crew {
    fn execute(&self, task: F) {
        self.hired.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(task));
    }
}

impl Crew {
    /// Runs a connection and all that it hires.
    async fn run(&self, connection: impl Future) {
        let (mut connection, mut tasks) = (pin!(connection), Vec::new());
        let mut is_open = true;
        std::future::poll_fn(|cx| {
            loop {
                is_open = is_open && connection.as_mut().poll(cx).is_pending();
                tasks.retain_mut(|task: &mut Task| task.as_mut().poll(cx).is_pending());
                let hired = self.take_hired();
                if hired.is_empty() {
                    break;
                }
                tasks.extend(hired);
            }
            if is_open || !tasks.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    fn take_hired(&self) -> Vec<Task> {
        std::mem::take(&mut *self.hired.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
