//! `tcp`: a connection, and perhaps a few words over it.

use super::place::{read_host, read_port};
use super::{Asked, read_pattern, tls};
use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table, Value};
use crate::health::{Protocol, TcpCheck};
use crate::limits::CHECK_SEND_OCTETS;

pub(super) fn read(
    port: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    let host = table.take("host");
    let tls = tls::read(tls::Use::IfAsked, table, findings);
    if let Some(Item { key, .. }) = host.as_ref().filter(|_| tls.is_none()) {
        findings
            .error(key.span.clone(), "`host` has no meaning with `tcp` and no TLS")
            .help("the name for TLS needs tls = true; a Host header is sent by `http` and `https`");
    }
    let host = host.and_then(|item| read_host(&item.value, findings));
    let send = table.take("send").and_then(|item| read_send(&item.value, findings));
    let expect = read_pattern("expect", "expect_regex", table, findings);
    let protocol = Protocol::Tcp(TcpCheck { tls, host, send, expect });
    Some(Asked { protocol, port: read_port(port, findings)?, address: None })
}

fn read_send(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<[u8]>> {
    let text = value.string("a text such as \"PING\\r\\n\"", findings)?;
    let octets = text.value.len();
    if (1..=CHECK_SEND_OCTETS).contains(&octets) {
        return Some(text.value.as_bytes().into());
    }
    let problem = if octets == 0 {
        "it is empty; leave the key out".to_owned()
    } else {
        format!("it has {octets} octets, {CHECK_SEND_OCTETS} is the most")
    };
    super::refuse_text(value.name, text.span, problem, findings);
    None
}
