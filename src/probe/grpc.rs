//! The gRPC check: `grpc.health.v1.Health/Check`, which has to say SERVING.
//!
//! Request and reply are messages of one field each, so they are written and read here, octet by octet: five octets of length
//! prefix (gRPC over HTTP/2, "Length-Prefixed-Message"), then Protocol Buffers.
//!
//! ```text
//! HealthCheckRequest  { string service = 1; }
//! HealthCheckResponse { enum status = 1; }   0 UNKNOWN, 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN
//! ```

use hyper::body::Bytes;
use hyper::{HeaderMap, Method};

use super::blame::{Miss, detail};
use super::connect::open;
use super::exchange::{Reply, Wanted, exchange};
use super::http::{Query, below, write_host, write_request};
use super::trial::{Trial, within};
use crate::health::{FailureReason, GrpcCheck};
use crate::limits::BODY_OCTETS;

const PATH: &str = "/grpc.health.v1.Health/Check";

/// Octets of a message's prefix: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The one status that passes.
const SERVING: u64 = 1;

/// Asks for the service's status.
pub(super) async fn probe(trial: &Trial<'_>, check: &GrpcCheck) -> Result<(), Miss> {
    let (target, port) = (&trial.target.address, trial.address.port());
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let headers = headers.map(|(name, value)| (name.into(), value.into()));
    let request = write_request(Query {
        method: Method::POST,
        path: PATH,
        host: write_host(check.host.as_deref(), target, port, check.tls.is_some()),
        headers: &headers,
        body: write_message(check.service.as_bytes()),
        is_tls: check.tls.is_some(),
        is_http2: true,
    })?;
    let phases = &trial.check().phases;
    let below = below(check.tls.as_ref(), check.host.as_deref(), trial);
    let stream = within(phases.connect, open(trial, trial.address, below, true)).await?;
    let wanted = |status| if status == 200 { Wanted::Whole(BODY_OCTETS) } else { Wanted::Nothing };
    let reply = exchange(stream, true, request, phases, &trial.intake, wanted).await?;
    judge(&reply)
}

/// A request for a service's status, with its prefix.
fn write_message(service: &[u8]) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        // Field 1, a string.
        message.push(0x0a);
        push_varint(&mut message, service.len());
        message.extend_from_slice(service);
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0][..], &length, &message].concat().into()
}

fn push_varint(message: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        message.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    message.push(u8::try_from(number).unwrap_or(0));
}

fn judge(reply: &Reply) -> Result<(), Miss> {
    if reply.status != 200 {
        return Err(Miss::Failure(FailureReason::Status(reply.status)));
    }
    expect_ok(if reply.trailers.contains_key("grpc-status") {
        &reply.trailers
    } else {
        // An error without a message has its status in the header ("Trailers-Only").
        &reply.headers
    })?;
    match read_status(&reply.body) {
        Some(SERVING) => Ok(()),
        Some(0) => Err(failure("UNKNOWN")),
        Some(2) => Err(failure("NOT_SERVING")),
        Some(3) => Err(failure("SERVICE_UNKNOWN")),
        Some(other) => Err(failure(&format!("serving status {other}"))),
        None => Err(failure("a reply that is no HealthCheckResponse")),
    }
}

/// The call's own status must be 0.
fn expect_ok(fields: &HeaderMap) -> Result<(), Miss> {
    let text = |name| fields.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status") {
        Some("0") => Ok(()),
        Some(code) => {
            let message = text("grpc-message").unwrap_or_default();
            Err(failure(format!("status {code} {message}").trim_end()))
        }
        None => Err(failure("no status in the reply")),
    }
}

/// The status of a reply that is one whole uncompressed message; 0 if it has none, as Protocol Buffers leave out what is 0.
fn read_status(body: &[u8]) -> Option<u64> {
    let (prefix, mut message) = body.split_at_checked(PREFIX)?;
    let [0, length @ ..] = prefix else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = take_varint(&mut message)?,
            (_, wire_type) => skip(wire_type, &mut message)?,
        }
    }
    Some(status)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    // Ten groups of seven bits hold 64.
    for shift in (0..64).step_by(7) {
        let (octet, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Passes over a field that we do not know.
fn skip(wire_type: u64, message: &mut &[u8]) -> Option<()> {
    let octets = match wire_type {
        0 => return take_varint(message).map(drop),
        1 => 8,
        2 => usize::try_from(take_varint(message)?).ok()?,
        5 => 4,
        _ => return None,
    };
    *message = message.split_at_checked(octets)?.1;
    Some(())
}

fn failure(text: &str) -> Miss {
    Miss::Failure(FailureReason::Grpc(detail(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_string_with_its_length() {
        assert_eq!(&write_message(b"")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&write_message(b"a.B")[..], [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        let long = write_message(&[b'x'; 300]);
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
        assert_eq!(long.len(), 5 + 3 + 300);
    }

    #[test]
    fn a_reply_is_read_with_bounds() {
        for (body, status) in [
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(1)),
            (&[0, 0, 0, 0, 0], Some(0)),
            (&[0, 0, 0, 0, 3, 8, 0x81, 0x01], Some(129)),
            // An unknown string, an unknown number, then the status.
            (&[0, 0, 0, 0, 8, 0x12, 2, 7, 7, 0x18, 9, 8, 1], Some(1)),
            (&[0, 0, 0, 0, 4, 8, 1, 8, 2], Some(2)),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 3, 8, 1], None),
            (&[0, 0, 0, 0, 1, 8, 1], None),
            (&[0, 0, 0, 0, 1, 8], None),
            (&[0, 0, 0, 0], None),
            (&[], None),
            (&[0, 0, 0, 0, 3, 0x12, 200, 1], None),
            (&[0, 0, 0, 0, 12, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], None),
            (&[0, 255, 255, 255, 255, 8, 1], None),
            (&[0, 0, 0, 0, 2, 0x0b, 1], None),
        ] {
            assert_eq!(read_status(body), status, "{body:?}");
        }
    }
}
