//! The part of the digest that says how endpoints are checked.
//!
//! A check that has nothing that older versions did not have is written as they wrote it, or every zone would get a new serial.
//! What is new follows, each behind a tag that no check's name begins with: a name begins with the first octet of its length, 0.

use std::net::IpAddr;
use std::time::Duration;

use super::Fnv;
use crate::config::CompiledCheck;
use crate::health::{
    Breaker, CalculatedCheck, CheckSpec, Child, Damping, DnsCheck, HttpCheck, Pattern, Phases,
    ProbeAddress, PrometheusCheck, Protocol, Quorum, Recovery, TcpCheck, TlsCheck,
};

/// What a new part is.
#[derive(Clone, Copy)]
enum Tag {
    Retry = 1,
    Phases,
    Recovery,
    Sources,
    Latency,
    Inverted,
    Disabled,
    Http,
    Tcp,
    Tls,
}

impl Fnv {
    pub(super) fn write_check(&mut self, check: &CompiledCheck) {
        let CompiledCheck { name, spec, address } = check;
        self.write_text(name);
        self.write_spec(spec, address.as_ref());
    }

    fn write_spec(&mut self, spec: &CheckSpec, address: Option<&ProbeAddress>) {
        self.write_protocol(&spec.protocol);
        self.write(spec.port.to_be_bytes());
        self.write_duration(spec.every);
        self.write_duration(spec.timeout);
        self.write([spec.down_after.as_u8(), spec.up_after.as_u8()]);
        match address {
            None => self.write([0]),
            Some(ProbeAddress::Ip(address)) => self.write_address(*address),
            Some(ProbeAddress::Name(host)) => {
                self.write([3]);
                self.write_text(host);
            }
        }
        self.write_news(spec);
        match &spec.protocol {
            Protocol::Http(http) => self.write_http_news(http),
            Protocol::Tcp(tcp) => self.write_tcp_news(tcp),
            _ => {}
        }
    }

    fn write_tag(&mut self, tag: Tag) {
        self.write([tag as u8]);
    }

    fn write_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.write([1]);
                self.write(address.octets());
            }
            IpAddr::V6(address) => {
                self.write([2]);
                self.write(address.octets());
            }
        }
    }

    /// What is asked, as far as older versions could ask it, and all of it where they could not.
    fn write_protocol(&mut self, protocol: &Protocol) {
        match protocol {
            Protocol::Tcp(_) => self.write([0]),
            Protocol::Http(HttpCheck { tls, path, host, expect, .. }) => {
                self.write([1, u8::from(tls.is_some())]);
                self.write_text(path);
                self.write_optional_text(host.as_deref());
                self.write_text(&expect.to_string());
            }
            Protocol::Dns(DnsCheck { name, rtype, is_tcp, expect }) => {
                self.write([2, u8::from(*is_tcp)]);
                self.write_name(name);
                self.write(rtype.0.to_be_bytes());
                self.write_addresses(expect);
            }
            Protocol::Icmp => self.write([3]),
            Protocol::Grpc(grpc) => {
                self.write([4]);
                self.write_tls(grpc.tls.as_ref());
                self.write_optional_text(grpc.host.as_deref());
                self.write_text(&grpc.service);
            }
            Protocol::Prometheus(metric) => self.write_metric(metric),
            // Its name is that of the zone and the check, which are written already.
            Protocol::External(external) => {
                self.write([6, external.missing as u8]);
                self.write_duration(external.stale_after);
            }
            Protocol::Calculated(calculated) => self.write_calculated(calculated),
        }
    }

    fn write_metric(&mut self, metric: &PrometheusCheck) {
        let PrometheusCheck { tls, host, prefix, headers, query, comparison, limit, missing } =
            metric;
        self.write([5, *comparison as u8, *missing as u8]);
        self.write_tls(tls.as_ref());
        self.write_optional_text(host.as_deref());
        self.write_text(prefix);
        self.write_headers(headers);
        self.write_text(query);
        self.write(limit.as_f64().to_bits().to_be_bytes());
    }

    fn write_calculated(&mut self, CalculatedCheck { children, quorum }: &CalculatedCheck) {
        let (kind, number) = match *quorum {
            Quorum::AtLeast(count) => (0, count),
            Quorum::MoreThan(share) => (1, u16::from(share)),
        };
        self.write([7, kind]);
        self.write(number.to_be_bytes());
        self.write_count(children.len());
        // None of them is calculated itself (rule 72), so that this goes no deeper.
        for Child { check, address } in children {
            self.write_spec(check, address.as_ref());
        }
    }

    fn write_addresses(&mut self, addresses: &[IpAddr]) {
        self.write_count(addresses.len());
        for address in addresses {
            self.write_address(*address);
        }
    }

    fn write_headers(&mut self, headers: &[(Box<str>, Box<str>)]) {
        self.write_count(headers.len());
        for (name, value) in headers {
            self.write_text(name);
            self.write_text(value);
        }
    }

    fn write_news(&mut self, spec: &CheckSpec) {
        let CheckSpec { every, retry, phases, sources, latency, .. } = spec;
        if retry != every {
            self.write_tag(Tag::Retry);
            self.write_duration(*retry);
        }
        if *phases != Phases::default() {
            self.write_tag(Tag::Phases);
            for phase in [phases.connect, phases.reply, phases.body] {
                self.write_duration(phase.unwrap_or(Duration::MAX));
            }
        }
        self.write_recovery(spec.recovery);
        if !sources.is_empty() {
            self.write_tag(Tag::Sources);
            self.write_addresses(sources);
        }
        if *latency != Default::default() {
            self.write_tag(Tag::Latency);
            self.write([*latency as u8]);
        }
        for (is_so, tag) in [(spec.is_inverted, Tag::Inverted), (spec.is_disabled, Tag::Disabled)] {
            if is_so {
                self.write_tag(tag);
            }
        }
    }

    /// The default is written as it was before there was any other way to come back.
    fn write_recovery(&mut self, recovery: Recovery) {
        let (kind, first, longest) = match recovery {
            Recovery::Damped(Damping::DEFAULT) => return,
            Recovery::Damped(Damping { hold, longest }) => (0, hold, longest),
            Recovery::Breaker(Breaker { reset, longest }) => (1, reset, longest),
            Recovery::Manual => (2, Duration::ZERO, Duration::ZERO),
        };
        self.write_tag(Tag::Recovery);
        self.write([kind]);
        self.write_duration(first);
        self.write_duration(longest);
    }

    fn write_http_news(&mut self, http: &HttpCheck) {
        let HttpCheck { tls, method, headers, body, is_http2, redirects, .. } = http;
        let is_old = **method == *"GET" && headers.is_empty() && body.is_none();
        if !is_old || *is_http2 || *redirects != 0 {
            self.write_tag(Tag::Http);
            self.write_text(method);
            self.write_headers(headers);
            self.write_pattern(body.as_ref());
            self.write([u8::from(*is_http2), *redirects]);
        }
        if tls.as_ref().is_some_and(|tls| *tls != TlsCheck::default()) {
            self.write_tag(Tag::Tls);
            self.write_tls(tls.as_ref());
        }
    }

    fn write_tcp_news(&mut self, tcp: &TcpCheck) {
        if *tcp == TcpCheck::default() {
            return;
        }
        let TcpCheck { tls, host, send, expect } = tcp;
        self.write_tag(Tag::Tcp);
        self.write_tls(tls.as_ref());
        self.write_optional_text(host.as_deref());
        // Nothing is never sent.
        self.write_octets(send.as_deref().unwrap_or_default());
        self.write_pattern(expect.as_ref());
    }

    fn write_tls(&mut self, tls: Option<&TlsCheck>) {
        let Some(tls) = tls else {
            return self.write([0]);
        };
        let TlsCheck { is_verified, authorities, server_name, hides_name, warns_before } = tls;
        self.write([1, u8::from(*is_verified), u8::from(*hides_name)]);
        self.write_optional_text(authorities.as_deref());
        self.write_optional_text(server_name.as_deref());
        self.write_duration(*warns_before);
    }

    fn write_pattern(&mut self, pattern: Option<&Pattern>) {
        match pattern {
            None => self.write([0]),
            Some(Pattern::Text(text)) => {
                self.write([1]);
                self.write_octets(text);
            }
            Some(Pattern::Regex(regex)) => {
                self.write([2]);
                self.write_text(regex.as_str());
            }
        }
    }
}
