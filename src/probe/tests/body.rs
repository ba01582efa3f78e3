//! The search in a body: where it ends, how it is coded, and what a hostile one costs.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use tokio::io::AsyncWriteExt;

use super::responder::{Responder, close_after, read_request};
use super::*;
use crate::health::{Pattern, Phases};
use crate::limits::BODY_OCTETS;

/// A check that looks for NEEDLE.
fn seeking() -> Protocol {
    seeking_for(Pattern::parse_text("NEEDLE").unwrap())
}

fn seeking_for(pattern: Pattern) -> Protocol {
    Protocol::Http(HttpCheck { body: Some(pattern), ..http() })
}

fn reply(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn search(octets: Vec<u8>) -> Observation {
    let endpoint = Responder::reply(octets).await;
    probe(&target(seeking(), endpoint.address)).await
}

/// A body of random letters, which do not become much smaller, with the needle's last octet at `end`.
fn hay(end: usize, octets: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut hay: Vec<u8> = (0..octets)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'a' + u8::try_from(state % 26).unwrap()
        })
        .collect();
    hay[end - 6..end].copy_from_slice(b"NEEDLE");
    hay
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn bare(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn rule_61_a_needle_that_ends_at_octet_5120_passes_and_at_5121_fails() {
    for (end, passes) in [(5120, true), (5121, false), (6, true), (6000, false)] {
        for (coding, encode) in [
            ("identity", (|body: &[u8]| body.to_vec()) as fn(&[u8]) -> Vec<u8>),
            ("gzip", gzip),
            ("X-GZip", gzip),
            ("deflate", zlib),
            ("deflate", bare),
        ] {
            let fields = format!("Content-Encoding: {coding}\r\n");
            let observation = search(reply(&fields, &encode(&hay(end, 8000)))).await;
            assert_eq!(is_success(&observation), passes, "{end} {coding}: {observation}");
            assert!(passes || observation == failed(FailureReason::Body), "{observation}");
        }
    }
}

#[tokio::test]
async fn rule_61_the_search_looks_at_the_case_and_at_the_status_first() {
    assert_eq!(search(reply("", b"needle")).await, failed(FailureReason::Body));
    assert_eq!(search(reply("", b"")).await, failed(FailureReason::Body));
    let wrong = b"HTTP/1.1 500 X\r\nContent-Length: 6\r\n\r\nNEEDLE".to_vec();
    assert_eq!(search(wrong).await, failed(FailureReason::Status(500)));
}

#[tokio::test]
async fn rule_61_a_regular_expression_sees_no_more_than_a_text_does() {
    let last = seeking_for(Pattern::parse_regex("Y$").unwrap());
    for (place, passes) in [(BODY_OCTETS, true), (BODY_OCTETS + 1, false), (BODY_OCTETS - 1, false)]
    {
        let mut body = hay(6, 9000);
        body[place - 1] = b'Y';
        let endpoint = Responder::reply(reply("", &body)).await;
        let observation = probe(&target(last.clone(), endpoint.address)).await;
        assert_eq!(is_success(&observation), passes, "{place}: {observation}");
    }
}

#[tokio::test]
async fn rule_61_a_chunked_body_and_one_that_ends_with_the_connection_are_read() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nNEE\r\n3\r\nDLE\r\n0\r\n\r\n";
    let closed = b"HTTP/1.1 200 OK\r\n\r\nNEEDLE";
    for octets in [&chunked[..], closed] {
        let observation = search(octets.to_vec()).await;
        assert!(is_success(&observation), "{observation}");
    }
}

#[tokio::test]
async fn rule_61_several_members_of_gzip_are_one_body() {
    let body = [gzip(b"NEE"), gzip(b"DLE")].concat();
    assert!(is_success(&search(reply("Content-Encoding: gzip\r\n", &body)).await));
}

#[tokio::test]
async fn a_coding_that_is_broken_or_unknown_is_malformed() {
    let truncated = &gzip(&hay(6, 3000))[..1500];
    for (coding, body) in [
        ("gzip", b"NEEDLE NEEDLE NEEDLE".as_slice()),
        ("gzip", truncated),
        ("deflate", b"NEEDLE NEEDLE NEEDLE"),
        ("deflate", b"N"),
        ("br", b"NEEDLE"),
        ("gzip, gzip", b"NEEDLE"),
    ] {
        let observation = search(reply(&format!("Content-Encoding: {coding}\r\n"), body)).await;
        let reason = matches!(observation, Observation::Failure(FailureReason::MalformedReply(_)));
        assert!(reason, "{coding}: {observation}");
    }
    for coding in ["gzip", "deflate"] {
        let observation = search(reply(&format!("Content-Encoding: {coding}\r\n"), b"")).await;
        assert_eq!(observation, failed(FailureReason::Body), "nothing at all, {coding}");
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_closed() {
    let octets = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhay".to_vec();
    assert_eq!(search(octets).await, failed(FailureReason::Closed));
}

/// Forty kilobytes that would unfold into forty megabytes: what is looked at is decoded, and no more.
#[tokio::test]
async fn a_bomb_is_decoded_as_far_as_it_is_looked_at() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..640 {
        encoder.write_all(&[0; 64 << 10]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 60_000 && bomb.len() > 30_000, "{}", bomb.len());
    let observation = search(reply("Content-Encoding: gzip\r\n", &bomb)).await;
    assert_eq!(observation, failed(FailureReason::Body));
}

/// Blocks of deflate that hold nothing: octets come in, none come out.
#[tokio::test]
async fn a_coding_that_never_gives_anything_ends_at_the_reply_limit() {
    let endpoint = Responder::start(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n").await;
        while stream.write_all(&[0, 0, 0, 0xff, 0xff].repeat(200)).await.is_ok() {}
    })
    .await;
    let observation = probe(&target(seeking(), endpoint.address)).await;
    assert!(
        matches!(observation, Observation::Failure(FailureReason::MalformedReply(_))),
        "{observation}"
    );
}

#[tokio::test]
async fn an_endless_body_is_searched_and_left() {
    let endpoint = Responder::start(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(probe(&target(seeking(), endpoint.address)).await, failed(FailureReason::Body));
}

#[tokio::test]
async fn a_body_that_drips_is_a_timeout() {
    let endpoint = drip().await;
    let observation = probe(&impatient(seeking(), endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
}

/// Header at once, then one octet of the body every 50 ms.
async fn drip() -> Responder {
    Responder::start(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test]
async fn rule_60_each_phase_has_its_own_time() {
    let short = Some(Duration::from_millis(200));
    let with = |phases, address: SocketAddr| {
        target_of(
            CheckSpec { phases, timeout: PATIENCE, ..check(seeking(), address.port()) },
            address,
        )
    };
    let late = Responder::silent().await;
    let dripping = drip().await;
    let start = Instant::now();
    let reply_phase = Phases { reply: short, ..Phases::default() };
    assert_eq!(probe(&with(reply_phase, late.address)).await, failed(FailureReason::Timeout));
    let body_phase = Phases { body: short, ..Phases::default() };
    assert_eq!(probe(&with(body_phase, dripping.address)).await, failed(FailureReason::Timeout));
    assert!(start.elapsed() < PATIENCE, "the phases end a probe, not its timeout");

    let good = Responder::start(|mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        close_after(stream, &reply("", b"NEEDLE")).await;
    })
    .await;
    let others = Phases { connect: short, body: short, reply: None };
    let observation = probe(&with(others, good.address)).await;
    assert!(is_success(&observation), "a phase does not count another's time: {observation}");
}
