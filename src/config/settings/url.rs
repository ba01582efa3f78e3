//! URLs in the settings: of webhooks, and of sentinels.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::health::HttpCheck;
use crate::limits::WEBHOOK_URL_OCTETS;

/// The URL of a webhook. Its path and query are often its secret: only [`origin`](Self::origin) is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    /// Whether it is `https`.
    pub is_tls: bool,
    /// A name, or an address without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// Path and query, with its slash.
    pub path: Box<str>,
}

/// A URL taken apart, nothing of it decoded.
pub(super) struct Parts<'t> {
    pub(super) scheme: &'t str,
    /// A name, or an address without brackets.
    pub(super) host: Box<str>,
    pub(super) port: Option<u16>,
    /// Path and query; empty, or with its slash or question mark.
    pub(super) path: &'t str,
}

impl WebhookUrl {
    /// Reads a URL of `http` or `https`.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > WEBHOOK_URL_OCTETS {
            let octets = text.len();
            return Err(format!("it has {octets} octets, {WEBHOOK_URL_OCTETS} is the most"));
        }
        let Parts { scheme, host, port, path } = split(text)?;
        let (is_tls, own_port) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            other => return Err(format!("`{other}` is not http or https")),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = format!("{slash}{path}").into();
        Ok(Self { is_tls, host, port: port.unwrap_or(own_port), path })
    }

    /// Scheme, host and port, which is as much as may be shown.
    pub fn origin(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// What the Host header says (RFC 9110 §7.2): the port only if it is not the scheme's own.
    pub fn authority(&self) -> String {
        let own_port = if self.is_tls { 443 } else { 80 };
        let host = match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.to_string(),
        };
        if self.port == own_port { host } else { format!("{host}:{}", self.port) }
    }
}

/// As [`WebhookUrl::origin`], so that no log shows the rest.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}/…)", self.origin())
    }
}

/// Takes an absolute URL apart (RFC 3986 §3). Messages quote no more of it than its scheme or its port.
pub(super) fn split(text: &str) -> Result<Parts<'_>, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("it has no scheme such as https://".to_owned());
    };
    if let Some(c) = rest.chars().find(|c| !is_url_character(*c)) {
        return Err(format!(
            "the character {c:?} may not stand in a URL; write it percent-encoded"
        ));
    }
    if rest.contains('#') {
        return Err("leave out # and what follows: it would not be sent".to_owned());
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("it has a user or a password in it".to_owned());
    }
    let (host, port) = split_authority(authority)?;
    Ok(Parts { scheme, host: HttpCheck::parse_host(host).map_err(|e| e.to_string())?, port, path })
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(inside) = authority.strip_prefix('[') {
        let Some((host, rest)) = inside.split_once(']') else {
            return Err("a [ has no ]".to_owned());
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("only an IPv6 address stands in brackets".to_owned());
        }
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(format!("`{rest}` is no port")),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    let Some(port) = port else { return Ok((host, None)) };
    match port.parse::<u16>() {
        Ok(number) if number != 0 && port.bytes().all(|c| c.is_ascii_digit()) => {
            Ok((host, Some(number)))
        }
        _ if authority.parse::<IpAddr>().is_ok() => {
            Err("an IPv6 address stands in brackets: [2001:db8::1]".to_owned())
        }
        _ => Err(format!("`{port}` is no port")),
    }
}

/// What may stand in a URL (RFC 3986 §2), the fragment's sign included.
fn is_url_character(c: char) -> bool {
    c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_only_its_origin_is_shown() {
        for (text, origin, path) in [
            ("https://hooks.example.net/T1/B2?x=y", "https://hooks.example.net", "/T1/B2?x=y"),
            ("http://127.0.0.1:9093", "http://127.0.0.1:9093", "/"),
            ("https://[2001:db8::1]:8443?q", "https://[2001:db8::1]:8443", "/?q"),
            ("http://a.example:80/", "http://a.example", "/"),
            ("http://a.example:443/x@y", "http://a.example:443", "/x@y"),
        ] {
            let url = WebhookUrl::parse(text).unwrap();
            assert_eq!((url.origin().as_str(), &*url.path), (origin, path));
            assert_eq!(format!("{url:?}"), format!("WebhookUrl({origin}/…)"));
        }
    }

    #[test]
    fn bad_urls_say_why_and_do_not_tell_their_secrets() {
        for (text, message) in [
            ("hooks.example.net/secret", "it has no scheme such as https://"),
            ("ftp://a.example/secret", "`ftp` is not http or https"),
            ("https://user:secret@a.example/", "it has a user or a password in it"),
            ("https:///secret", "it names no host"),
            ("https://a.example:0/secret", "`0` is no port"),
            ("https://a.example:+5/secret", "`+5` is no port"),
            ("https://[::1]5/secret", "`5` is no port"),
            ("https://[::1/secret", "a [ has no ]"),
            ("https://[a.example]/secret", "only an IPv6 address stands in brackets"),
            ("https://2001:db8::1/secret", "an IPv6 address stands in brackets: [2001:db8::1]"),
            ("https://a.example/secret#x", "leave out # and what follows: it would not be sent"),
            (
                "https://a.example/se cret",
                "the character ' ' may not stand in a URL; write it percent-encoded",
            ),
        ] {
            assert_eq!(WebhookUrl::parse(text).unwrap_err(), message, "{text}");
        }
        let long = format!("https://a.example/{}", "x".repeat(WEBHOOK_URL_OCTETS));
        assert_eq!(WebhookUrl::parse(&long).unwrap_err(), "it has 2066 octets, 2048 is the most");
    }
}
