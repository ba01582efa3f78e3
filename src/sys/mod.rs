//! The system calls that no library wraps as they are needed here. The only module with `unsafe`.
//!
//! [`Batch`] receives and sends many datagrams with one system call each; [`socket`] makes the sockets that it works on;
//! [`random_seed`] asks the operating system for what an outsider must not guess.

mod batch;
pub mod socket;

pub use batch::{Batch, Datagram};

/// Sixty-four bits from the operating system's generator.
pub fn random_seed() -> std::io::Result<u64> {
    let mut octets = [0u8; 8];
    // SAFETY: the pointer and the length describe `octets`, which lives until the call returns.
    let filled = unsafe { libc::getrandom(octets.as_mut_ptr().cast(), octets.len(), 0) };
    if usize::try_from(filled) == Ok(octets.len()) {
        Ok(u64::from_ne_bytes(octets))
    } else {
        Err(std::io::Error::last_os_error())
    }
}
