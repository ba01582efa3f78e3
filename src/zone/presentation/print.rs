//! Octets to fields: the inverse of [`compose`](super::compose), and so the judge of whether octets are data of a type.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::compose::{gateway_kind, is_plain_text};
use super::encoding::{encode_base32, encode_base64, encode_hex, print_time, set_bits};
use super::layout::{Field, Layout};
use super::location::print_location;
use super::service;
use crate::wire::{Name, Reader, RecordType};

/// The data of one record on its way to text.
pub(super) struct Printer<'r> {
    whole: &'r [u8],
    reader: Reader<'r>,
    text: String,
}

impl<'r> Printer<'r> {
    /// The fields with a blank between any two, or nothing if the octets are no data of the type.
    ///
    /// Every sound octet string is printed, though not each text reads back to the same octets: data that hold padding, for
    /// example. Whoever hands the text on must try.
    pub(super) fn print(layout: &Layout, rdata: &'r [u8]) -> Option<String> {
        let mut printer = Self { whole: rdata, reader: Reader::new(rdata), text: String::new() };
        for &(_, field) in layout.fields {
            if field == Field::MaybeText && printer.reader.is_at_end() {
                break;
            }
            if !printer.text.is_empty() && !matches!(field, Field::Parameters | Field::Texts) {
                printer.text.push(' ');
            }
            printer.print_field(field)?;
        }
        printer.reader.is_at_end().then(|| printer.text.trim_end().to_owned())
    }

    fn print_field(&mut self, field: Field) -> Option<()> {
        use Field::*;
        match field {
            Ipv4 => self.print_ipv4(),
            Ipv6 => self.print_ipv6(),
            Name => self.print_name(),
            U8 | Algorithm | Digest | Scheme | Protocol => {
                let number = self.reader.u8().ok()?;
                self.show(number)
            }
            U16 | Certificate => {
                let number = self.reader.u16().ok()?;
                self.show(number)
            }
            U32 | Seconds => {
                let number = self.reader.u32().ok()?;
                self.show(number)
            }
            Text | MaybeText => self.print_text(),
            Digits | Decimal(_) | Tag => self.print_plain_text(field),
            Type => {
                let number = self.reader.u16().ok()?;
                self.show(RecordType(number))
            }
            _ => self.print_special(field),
        }
    }

    fn print_special(&mut self, field: Field) -> Option<()> {
        match field {
            Field::Time => {
                let seconds = self.reader.u32().ok()?;
                self.show(print_time(seconds))
            }
            Field::Salt => {
                let octets = self.take_counted()?;
                self.show(if octets.is_empty() { "-".to_owned() } else { encode_hex(octets) })
            }
            Field::Hash => {
                let octets = self.take_counted().filter(|octets| !octets.is_empty())?;
                self.show(encode_base32(octets))
            }
            Field::Hyphened(count) => self.print_hyphened(count),
            Field::Locator => self.print_locator(),
            Field::Discovery => {
                let octet = self.reader.u8().ok()?;
                self.show(octet >> 7)
            }
            // The octet was read as Discovery.
            Field::RelayKind => self.show(gateway_kind(Field::Relay, self.done()?)?),
            Field::Gateway | Field::Relay => self.print_gateway(field),
            _ => self.print_open(field),
        }
    }

    fn print_open(&mut self, field: Field) -> Option<()> {
        match field {
            Field::Texts => self.print_texts(),
            Field::Parameters => service::print(&mut self.reader, &mut self.text),
            Field::Bitmap => self.print_bitmap(),
            Field::Identity => self.print_identity(),
            Field::Prefixes => self.print_prefixes(),
            Field::Location => {
                let location = print_location(&mut self.reader)?;
                self.show(location)
            }
            _ => self.print_rest(field),
        }
    }

    /// What takes all octets that are left.
    fn print_rest(&mut self, field: Field) -> Option<()> {
        let rest = self.reader.take(self.reader.remaining()).ok()?;
        match field {
            Field::Octets => push_quoted(rest, &mut self.text),
            Field::SomeOctets if !rest.is_empty() => push_quoted(rest, &mut self.text),
            Field::Nsap if !rest.is_empty() => self.text.extend(["0x", &encode_hex(rest)]),
            Field::Hex => self.text.push_str(&encode_hex(rest)),
            Field::DashOrBase64 if rest.is_empty() => self.text.push('-'),
            Field::Base64 | Field::MaybeBase64 | Field::DashOrBase64 => {
                self.text.push_str(&encode_base64(rest));
            }
            // A bit for each of 65,536 ports.
            Field::Services if rest.len() <= 8192 => {
                let ports: Vec<String> = set_bits(rest).map(|port| port.to_string()).collect();
                self.text.push_str(&ports.join(" "));
            }
            _ => return None,
        }
        Some(())
    }

    fn show(&mut self, value: impl std::fmt::Display) -> Option<()> {
        write!(self.text, "{value}").ok()
    }

    /// The octets that were read.
    fn done(&self) -> Option<&'r [u8]> {
        self.whole.get(..self.whole.len().checked_sub(self.reader.remaining())?)
    }

    fn take_counted(&mut self) -> Option<&'r [u8]> {
        let length = self.reader.u8().ok()?;
        self.reader.take(usize::from(length)).ok()
    }

    fn print_ipv4(&mut self) -> Option<()> {
        let octets: [u8; 4] = self.reader.take(4).ok()?.try_into().ok()?;
        self.show(Ipv4Addr::from(octets))
    }

    fn print_ipv6(&mut self) -> Option<()> {
        let octets: [u8; 16] = self.reader.take(16).ok()?.try_into().ok()?;
        self.show(Ipv6Addr::from(octets))
    }

    fn print_name(&mut self) -> Option<()> {
        let start = self.done()?.len();
        let (name, length) = Name::from_wire(self.whole.get(start..)?).ok()?;
        self.reader.take(length).ok()?;
        self.show(name)
    }

    fn print_text(&mut self) -> Option<()> {
        let octets = self.take_counted()?;
        push_quoted(octets, &mut self.text);
        Some(())
    }

    fn print_plain_text(&mut self, field: Field) -> Option<()> {
        let text = std::str::from_utf8(self.take_counted()?).ok()?;
        self.text.push_str(text);
        is_plain_text(field, text).then_some(())
    }

    fn print_texts(&mut self) -> Option<()> {
        while !self.reader.is_at_end() {
            self.text.push(' ');
            self.print_text()?;
        }
        Some(())
    }

    fn print_hyphened(&mut self, count: usize) -> Option<()> {
        let octets = self.reader.take(count).ok()?;
        let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        self.show(pairs.join("-"))
    }

    fn print_locator(&mut self) -> Option<()> {
        for number in 0..4 {
            let group = self.reader.u16().ok()?;
            let colon = if number == 0 { "" } else { ":" };
            write!(self.text, "{colon}{group:04x}").ok()?;
        }
        Some(())
    }

    fn print_gateway(&mut self, field: Field) -> Option<()> {
        let before = self.done()?;
        match gateway_kind(field, before)? {
            0 => self.show('.'),
            1 => self.print_ipv4(),
            2 => self.print_ipv6(),
            3 => self.print_name(),
            _ => None,
        }
    }

    /// Windows in rising order, none of them empty (RFC 4034 §4.1.2).
    fn print_bitmap(&mut self) -> Option<()> {
        let mut types = Vec::new();
        let mut last = None;
        while !self.reader.is_at_end() {
            let window = self.reader.u8().ok()?;
            let bits = self.take_counted().filter(|bits| (1..=32).contains(&bits.len()))?;
            if last.replace(window).is_some_and(|last| last >= window) {
                return None;
            }
            let base = u16::from(window) << 8;
            types.extend(set_bits(bits).map(|bit| RecordType(base | bit).to_string()));
        }
        self.show(types.join(" "))
    }

    fn print_identity(&mut self) -> Option<()> {
        let (tag, algorithm) = (self.reader.u8().ok()?, self.reader.u8().ok()?);
        let key = self.reader.u16().ok()?;
        let tag = encode_hex(self.reader.take(usize::from(tag)).ok()?);
        let key = encode_base64(self.reader.take(usize::from(key)).ok()?);
        self.show(format_args!("{algorithm} {tag} {key}"))?;
        while !self.reader.is_at_end() {
            self.text.push(' ');
            self.print_name()?;
        }
        Some(())
    }

    fn print_prefixes(&mut self) -> Option<()> {
        while !self.reader.is_at_end() {
            let (family, length) = (self.reader.u16().ok()?, self.reader.u8().ok()?);
            let count = self.reader.u8().ok()?;
            let octets = self.reader.take(usize::from(count & 127)).ok()?;
            let not = if count > 127 { "!" } else { "" };
            let address = match family {
                1 if length <= 32 => Ipv4Addr::from(pad(octets)?).to_string(),
                2 if length <= 128 => Ipv6Addr::from(pad(octets)?).to_string(),
                _ => return None,
            };
            self.show(format_args!("{not}{family}:{address}/{length} "))?;
        }
        Some(())
    }
}

/// Zeros behind what was left out; nothing if there are too many octets.
fn pad<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    padded.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(padded)
}

/// A character-string in quotes (RFC 1035 §5.1).
pub(super) fn push_quoted(octets: &[u8], text: &mut String) {
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
}
