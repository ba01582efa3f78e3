//! RDATA of any type, made from noise by the type's layout: for properties that must hold for every type.

#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use super::*;
use crate::zone::presentation::layout::Field;

/// Noise that never ends: the octets given, over and over, each time a little different.
struct Noise<'n> {
    octets: &'n [u8],
    at: usize,
}

impl Noise<'_> {
    fn octet(&mut self) -> u8 {
        let octet = self.octets[self.at % self.octets.len()];
        self.at += 1;
        octet.wrapping_add((self.at / self.octets.len()) as u8)
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.octet() % limit
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.octet()).collect()
    }

    /// Up to so many octets.
    fn some(&mut self, least: u8, limit: u8) -> Vec<u8> {
        let count = least + self.below(limit);
        self.take(usize::from(count))
    }

    fn counted(&mut self, least: u8, limit: u8) -> Vec<u8> {
        let octets = self.some(least, limit);
        [&[octets.len() as u8], &octets[..]].concat()
    }

    fn digits(&mut self, least: u8, limit: u8) -> Vec<u8> {
        let digits: Vec<u8> =
            self.some(least, limit).iter().map(|octet| b'0' + octet % 10).collect();
        [&[digits.len() as u8], &digits[..]].concat()
    }

    fn name(&mut self) -> Vec<u8> {
        let labels: Vec<u8> = (0..self.below(4)).flat_map(|_| self.counted(1, 12)).collect();
        [&labels[..], &[0]].concat()
    }

    fn bitmap(&mut self) -> Vec<u8> {
        let types = (0..self.below(6))
            .map(|_| RecordType(u16::from_be_bytes([self.octet() % 3, self.octet()])));
        let mut octets = Vec::new();
        crate::zone::presentation::encoding::encode_bitmap(types.collect(), &mut octets);
        octets
    }
}

/// Data of a type that has a layout, or any octets for another type.
pub(in crate::zone) fn rdata_of(rtype: RecordType, noise: &[u8]) -> Vec<u8> {
    let mut noise = Noise { octets: noise, at: usize::from(rtype.0) };
    let Some(layout) = Layout::of(rtype) else { return noise.some(0, 200) };
    let mut octets = Vec::new();
    for (_, field) in layout.fields {
        let made = octets_of(*field, &octets, &mut noise);
        octets.extend(made);
    }
    octets
}

fn octets_of(field: Field, before: &[u8], noise: &mut Noise<'_>) -> Vec<u8> {
    match field {
        Field::Ipv4 => noise.take(4),
        Field::Ipv6 => noise.take(16),
        Field::Name => noise.name(),
        Field::U8 if before.len() == 1 => vec![noise.below(4)],
        Field::U8 | Field::Algorithm | Field::Digest | Field::Scheme | Field::Protocol => {
            noise.take(1)
        }
        Field::U16 | Field::Certificate | Field::Type => noise.take(2),
        Field::U32 | Field::Seconds | Field::Time => noise.take(4),
        Field::Text => noise.counted(0, 40),
        Field::MaybeText if noise.below(2) == 0 => Vec::new(),
        Field::MaybeText => noise.counted(0, 40),
        Field::Digits => noise.digits(4, 8),
        Field::Decimal(_) => noise.digits(1, 1),
        Field::Tag => noise.digits(1, 9),
        Field::Octets | Field::MaybeBase64 | Field::DashOrBase64 => noise.some(0, 40),
        Field::SomeOctets | Field::Nsap | Field::Hex | Field::Base64 => noise.some(1, 40),
        Field::Salt => noise.counted(0, 20),
        Field::Hash => noise.counted(1, 20),
        Field::Hyphened(count) => noise.take(count),
        Field::Locator => noise.take(8),
        Field::Discovery => vec![noise.octet() & 128 | noise.below(4)],
        Field::RelayKind => Vec::new(),
        Field::Gateway | Field::Relay => {
            match crate::zone::presentation::compose::gateway_kind(field, before) {
                Some(1) => noise.take(4),
                Some(2) => noise.take(16),
                Some(3) => noise.name(),
                _ => Vec::new(),
            }
        }
        Field::Texts => (0..noise.below(3)).flat_map(|_| noise.counted(0, 40)).collect(),
        Field::Bitmap => noise.bitmap(),
        _ => octets_of_odd(field, noise),
    }
}

/// Fields that are a format of their own.
fn octets_of_odd(field: Field, noise: &mut Noise<'_>) -> Vec<u8> {
    match field {
        Field::Identity => {
            let (tag, key) = (noise.some(1, 20), noise.some(1, 20));
            let head = [tag.len() as u8, noise.octet(), 0, key.len() as u8];
            let servers: Vec<u8> = (0..noise.below(3)).flat_map(|_| noise.name()).collect();
            [&head[..], &tag, &key, &servers].concat()
        }
        // A port and an unknown key.
        Field::Parameters => {
            let port = noise.take(2);
            let value = noise.counted(1, 20);
            [&[0, 3, 0, 2][..], &port, &[2, 155, 0], &value].concat()
        }
        Field::Prefixes => {
            let octets = noise.some(0, 4);
            let not = noise.octet() & 128;
            [&[0, 1, noise.below(33), not | octets.len() as u8][..], &octets].concat()
        }
        Field::Location => {
            let mut size = || noise.below(10) << 4 | noise.below(10);
            let sizes = [0, size(), size(), size()];
            let angle = u32::from_be_bytes([128, noise.octet(), noise.octet(), noise.octet()]);
            [&sizes[..], &angle.to_be_bytes(), &angle.to_be_bytes(), &noise.take(4)].concat()
        }
        Field::Services => noise.some(0, 20),
        field => unreachable!("{field:?}"),
    }
}
