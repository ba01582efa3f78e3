//! Words for the person at the terminal.
//!
//! `print!` and `eprint!` panic when nobody reads; a server must not end because its log disk is full, nor a command complain
//! because `head` has seen enough.

use std::io::{self, IsTerminal, Write};

/// Writes to standard output, as far as it takes it.
pub(crate) fn say(text: &str) {
    let mut output = io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// Writes to standard error, as far as it takes it.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether standard error takes colours (<https://no-color.org>).
pub(crate) fn is_styled() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
