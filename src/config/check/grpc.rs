//! `grpc`: the standard health service, version 1.

use super::place::{read_host, read_port};
use super::{Asked, tls};
use crate::config::diagnostic::Findings;
use crate::config::reader::{Table, Value};
use crate::health::{GrpcCheck, Protocol};
use crate::limits::CHECK_NAME_OCTETS;

pub(super) fn read(
    service: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    let tls = tls::read(tls::Use::IfAsked, table, findings);
    let host = table.take("host").and_then(|item| read_host(&item.value, findings));
    let port = match table.take("port") {
        Some(item) => read_port(&item.value, findings),
        None => {
            findings
                .error(service.span(), "`grpc` needs a port")
                .label("gRPC has no port of its own")
                .help("add port = 50051");
            None
        }
    };
    let service = read_service(service, findings)?;
    let protocol = Protocol::Grpc(GrpcCheck { tls, host, service });
    Some(Asked { protocol, port: port?, address: None })
}

fn read_service(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let expected = "the name of a service such as \"my.Service\", or \"\" for the whole server";
    let text = value.string(expected, findings)?;
    if text.value.len() <= CHECK_NAME_OCTETS && text.value.bytes().all(|c| c.is_ascii_graphic()) {
        return Some(text.value.into());
    }
    let problem = format!("a service has up to {CHECK_NAME_OCTETS} printable ASCII characters");
    super::refuse_text(value.name, text.span, problem, findings);
    None
}
