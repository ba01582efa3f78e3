//! A hash that is the same in every process and every version: what is kept over a restart is found again by it.

/// FNV-1a: for keys of names that must be the same everywhere and for ever. Callers mix what comes out.
pub fn stable_hash(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}
