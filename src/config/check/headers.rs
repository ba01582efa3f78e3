//! `headers`: further fields of a request.

use crate::config::diagnostic::Findings;
use crate::config::reader::{Item, Table};
use crate::limits::{CHECK_HEADER_OCTETS, CHECK_HEADERS, CHECK_NAME_OCTETS};

type Field = (Box<str>, Box<str>);

/// Fields that are the client's to write, and what says the same here.
const OWN_FIELDS: &[(&str, &str)] = &[
    ("host", "write it as `host`, beside `headers`"),
    ("content-length", "a check sends no body"),
    ("transfer-encoding", "a check sends no body"),
    ("connection", "every probe has a connection of its own"),
    ("te", "every probe has a connection of its own"),
    ("upgrade", "HTTP/2 is http2 = true"),
];

/// Names in small letters, in the order of the file.
pub(super) fn read(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Box<[Field]> {
    let Some(item) = table.take("headers") else {
        return Box::default();
    };
    let example = "{ x-probe = \"1\" }";
    let Some(mut fields) = item.value.table("headers", example, findings) else {
        return Box::default();
    };
    let typed = fields.take_all();
    if typed.len() > CHECK_HEADERS {
        let message = format!("a check may send {CHECK_HEADERS} headers, not {}", typed.len());
        findings.error(item.key.span, message);
        return Box::default();
    }
    let mut headers: Vec<Field> = Vec::with_capacity(typed.len());
    for item in typed {
        let Some((name, value)) = read_field(&item, findings) else { continue };
        if headers.iter().any(|(known, _)| *known == name) {
            let message = format!("the header `{name}` is there twice");
            findings.error(item.key.span, message).label("small and capital letters are the same");
            continue;
        }
        headers.push((name, value));
    }
    headers.into()
}

fn read_field(item: &Item<'_>, findings: &mut Findings<'_>) -> Option<Field> {
    let name = item.key.value.to_ascii_lowercase();
    if name.is_empty() || name.len() > CHECK_NAME_OCTETS || !name.bytes().all(is_token_octet) {
        findings
            .error(item.key.span.clone(), format!("`{}` is no name of a header", item.key.value))
            .label("it is made of letters, digits and hyphens (RFC 9110 §5.1)");
        return None;
    }
    if let Some((_, help)) = OWN_FIELDS.iter().find(|(own, _)| *own == name) {
        let message = format!("the header `{name}` is not the author's to write");
        findings.error(item.key.span.clone(), message).help(*help);
        return None;
    }
    let value = item.value.string("a text such as \"1\"", findings)?;
    let is_sendable = |c: char| c == '\t' || c == ' ' || c.is_ascii_graphic();
    let problem = match value.value {
        text if text.len() > CHECK_HEADER_OCTETS => {
            format!("it has {} octets, {CHECK_HEADER_OCTETS} is the most", text.len())
        }
        text if !text.chars().all(is_sendable) => {
            "it has a character that is not printable ASCII (RFC 9110 §5.5)".to_owned()
        }
        text if text.trim_matches([' ', '\t']) != text => {
            "it begins or ends with a space (RFC 9110 §5.5)".to_owned()
        }
        text => return Some((name.into(), text.into())),
    };
    super::refuse_text(item.value.name, value.span, problem, findings);
    None
}

/// RFC 9110 §5.6.2.
fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}
