//! Who is at the other end of the control socket: the author of an override that names none.

use std::fs::File;
use std::io::Read;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

use crate::limits::PASSWD_OCTETS;

/// The user of a process, as the kernel tells it (SO_PEERCRED, unix(7)).
#[derive(Clone, Debug)]
pub(super) struct Peer {
    user: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { user: stream.io().peer_cred().ok().map(|peer| peer.uid()) }
    }
}

impl Peer {
    /// Somebody of whom the kernel says nothing.
    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        Self { user: None }
    }

    /// The user's name, or the number where `/etc/passwd` has none.
    pub(super) fn name(&self) -> String {
        let Some(user) = self.user else { return "unknown".to_owned() };
        let mut text = String::new();
        // A container may have no such file.
        let _ = File::open("/etc/passwd")
            .and_then(|file| file.take(PASSWD_OCTETS).read_to_string(&mut text));
        name_in(&text, user).unwrap_or_else(|| format!("uid {user}"))
    }
}

/// The first user of this number (passwd(5)).
fn name_in(passwd: &str, user: u32) -> Option<String> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut users = fields.filter_map(|fields| Some((*fields.first()?, *fields.get(2)?)));
    let (name, _) = users.find(|(_, number)| number.parse() == Ok(user))?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_that_passwd_says() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nops:x:1000:1000::/:/bin/sh\n";
        let names = [0, 1000, 7].map(|user| name_in(passwd, user));
        assert_eq!(names, [Some("root".to_owned()), Some("ops".to_owned()), None]);
    }
}
