//! The beginning of a body, decoded: as much of it as is looked at, and never more of it in memory (Route 53 rule 61).
//!
//! A decoder writes into an [`Excerpt`], which refuses what is beyond its size; so a small reply that would unfold into
//! gigabytes costs one window of the decoder and stops there.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;

use super::blame::Miss;
use crate::health::FailureReason;

/// The first octets of something.
pub(super) struct Excerpt {
    octets: Vec<u8>,
    most: usize,
}

/// A body as it comes in.
pub(super) enum Body {
    Plain(Excerpt),
    Gzip(Box<MultiGzDecoder<Excerpt>>),
    /// `deflate` is zlib's format (RFC 9110 §8.4.1.2), but some send the bare one; two octets tell.
    Undecided(Excerpt, Vec<u8>),
    Zlib(Box<ZlibDecoder<Excerpt>>),
    Bare(Box<DeflateDecoder<Excerpt>>),
}

impl Excerpt {
    pub(super) fn new(most: usize) -> Self {
        Self { octets: Vec::new(), most }
    }

    pub(super) fn is_full(&self) -> bool {
        self.octets.len() >= self.most
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Takes what still fits, and says how much that was.
    pub(super) fn push(&mut self, octets: &[u8]) -> usize {
        let fits = octets.len().min(self.most.saturating_sub(self.octets.len()));
        self.octets.extend(octets.iter().take(fits));
        fits
    }
}

impl Write for Excerpt {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self.push(octets) {
            0 if !octets.is_empty() => Err(io::Error::other("as much as is looked at is in")),
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Body {
    /// A body of which `most` decoded octets are kept, in the coding that its header says.
    pub(super) fn new(headers: &HeaderMap, most: usize) -> Result<Self, Miss> {
        let excerpt = Excerpt::new(most);
        let coding = headers.get(CONTENT_ENCODING).map_or(&b""[..], |coding| coding.as_bytes());
        match coding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(Self::Plain(excerpt)),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(excerpt)))),
            b"deflate" => Ok(Self::Undecided(excerpt, Vec::new())),
            _ => Err(malformed("a content coding that is not gzip or deflate")),
        }
    }

    /// Takes the next octets as they came.
    pub(super) fn push(self, octets: &[u8]) -> Result<Self, Miss> {
        let mut body = match self {
            Self::Undecided(excerpt, mut first) => {
                first.extend_from_slice(octets);
                match first.as_slice() {
                    [] | [_] => return Ok(Self::Undecided(excerpt, first)),
                    [a, b, ..] => return Self::decide(excerpt, *a, *b).push(&first),
                }
            }
            decided => decided,
        };
        let written = match &mut body {
            Self::Plain(excerpt) => {
                excerpt.push(octets);
                Ok(())
            }
            Self::Gzip(decoder) => decoder.write_all(octets),
            Self::Zlib(decoder) => decoder.write_all(octets),
            Self::Bare(decoder) => decoder.write_all(octets),
            Self::Undecided(..) => Ok(()),
        };
        body.judge(written)
    }

    /// RFC 1950 §2.2: the method is 8, and both octets together a multiple of 31.
    fn decide(excerpt: Excerpt, first: u8, second: u8) -> Self {
        if first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31) {
            Self::Zlib(Box::new(ZlibDecoder::new(excerpt)))
        } else {
            Self::Bare(Box::new(DeflateDecoder::new(excerpt)))
        }
    }

    /// What is in the excerpt once no more octets come.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Miss> {
        let is_empty = self.is_empty();
        let finished = match &mut self {
            _ if is_empty => Ok(()),
            Self::Plain(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Bare(decoder) => decoder.try_finish(),
            Self::Undecided(..) => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Ok(self.judge(finished)?.excerpt().octets.clone())
    }

    /// Whether as much as is looked at is in.
    pub(super) fn is_full(&self) -> bool {
        self.excerpt().is_full()
    }

    /// Whether nothing came at all: a coding of nothing is nothing.
    fn is_empty(&self) -> bool {
        match self {
            Self::Plain(excerpt) => excerpt.octets.is_empty(),
            Self::Undecided(_, first) => first.is_empty(),
            Self::Gzip(decoder) => {
                decoder.header().is_none() && decoder.get_ref().octets.is_empty()
            }
            Self::Zlib(decoder) => decoder.total_in() == 0,
            Self::Bare(decoder) => decoder.total_in() == 0,
        }
    }

    /// An error of the decoder counts unless it is the excerpt's, which is full.
    fn judge(self, result: io::Result<()>) -> Result<Self, Miss> {
        match result {
            Err(_) if !self.is_full() => {
                Err(malformed("the body is not what its content coding says"))
            }
            _ => Ok(self),
        }
    }

    fn excerpt(&self) -> &Excerpt {
        match self {
            Self::Plain(excerpt) | Self::Undecided(excerpt, _) => excerpt,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zlib(decoder) => decoder.get_ref(),
            Self::Bare(decoder) => decoder.get_ref(),
        }
    }
}

fn malformed(text: &str) -> Miss {
    Miss::Failure(FailureReason::MalformedReply(text.into()))
}
