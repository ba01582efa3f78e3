//! Draws that stay: rendezvous hashing with weights (B5).
//!
//! Each target gets a number from the client's prefix, the name, the seed and the target's own name, and the best number wins.
//! No server needs to know of another: whoever has the same zone file draws the same. A target that leaves gives its clients to
//! the others in proportion, and moves nobody else; one whose weight grows only takes clients.
//!
//! The number is −log₂(u) / weight with u uniform: an exponential race, in which a target is the smallest with a chance of its
//! share. It is reckoned in whole numbers, so that no two machines disagree.

use std::net::IpAddr;

use super::random::mix;
use crate::health::stable_hash;

/// Length of the prefix that is one client, for IPv4: what resolvers send at most (RFC 7871 §11.1).
pub const STICKY_IPV4: u8 = 24;

/// Length of the prefix that is one client, for IPv6: a site's network (RFC 6177 §2).
pub const STICKY_IPV6: u8 = 48;

/// What stays the same for one client and one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyKey(u64);

impl StickyKey {
    /// The key of a client's address at a name with this hash.
    pub fn new(address: IpAddr, name_key: u64) -> Self {
        let prefix = match address {
            IpAddr::V4(address) => u64::from(u32::from(address) >> (32 - STICKY_IPV4)) | 4 << 60,
            // 48 bits are left.
            IpAddr::V6(address) => (u128::from(address) >> (128 - STICKY_IPV6)) as u64 | 6 << 60,
        };
        Self(mix(mix(prefix) ^ name_key))
    }

    /// The key as a number, for draws among other things than targets.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// How far a target is from winning, less being nearer. `weight` is not 0.
    pub(super) fn score(self, seed: u64, target_key: u64, weight: u32) -> u64 {
        let hash = mix(mix(self.0 ^ seed) ^ target_key);
        // At most 64 · 2^32, so that the shift loses nothing.
        (distance(hash) << 24).checked_div(weight.into()).unwrap_or(u64::MAX)
    }
}

/// The key of a target in a policy. A target of two policies draws apart in both, or a client that the outer one passes by would
/// always be passed by.
pub(super) fn target_key(policy: &str, target: &str) -> u64 {
    mix(stable_hash(policy.as_bytes())) ^ stable_hash(target.as_bytes())
}

/// Length of the prefix of an address that is one client.
pub fn sticky_scope(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => STICKY_IPV4,
        IpAddr::V6(_) => STICKY_IPV6,
    }
}

/// Fractional bits of a logarithm.
const FRACTION: u32 = 32;

/// log₂(1 + i/256) for i from 0 to 256, in 2^32nds.
static LOGARITHMS: [u64; 257] = logarithms();

/// −log₂(u) in 2^32nds, where u is (hash + 1) / 2^64.
fn distance(hash: u64) -> u64 {
    let number = hash.saturating_add(1);
    let zeros = number.leading_zeros();
    // The mantissa without its leading one, in 2^64ths.
    let rest = number.checked_shl(zeros.saturating_add(1)).unwrap_or(0);
    let at = usize::try_from(rest >> 56).unwrap_or(0);
    let (below, above) = match LOGARITHMS.get(at..) {
        Some(&[below, above, ..]) => (below, above),
        _ => (0, 0),
    };
    let part = (rest >> 24) & 0xffff_ffff;
    let between = above.saturating_sub(below).saturating_mul(part) >> FRACTION;
    let whole = u64::from(zeros.saturating_add(1)) << FRACTION;
    whole.saturating_sub(below.saturating_add(between))
}

/// Reckons bit after bit: squaring a number doubles its logarithm.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "evaluated while compiling, where an overflow is an error"
)]
const fn logarithms() -> [u64; 257] {
    let mut table = [0u64; 257];
    let mut at = 0;
    while at < 256 {
        // 1 ≤ number < 2, in 2^63rds.
        let mut number: u128 = (256 + at as u128) << 55;
        let mut bits = 0u64;
        let mut bit = 0;
        while bit < FRACTION {
            number = (number * number) >> 63;
            bits <<= 1;
            if number >> 64 != 0 {
                bits |= 1;
                number >>= 1;
            }
            bit += 1;
        }
        table[at] = bits;
        at += 1;
    }
    table[256] = 1 << FRACTION;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_logarithms() {
        for hash in [0, 1, 2, 0xff, 1 << 20, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let exact = 64.0 - (hash as f64 + 1.0).log2();
            let found = distance(hash) as f64 / 4_294_967_296.0;
            assert!((exact - found).abs() < 5e-6, "{hash}: {exact} {found}");
        }
    }

    /// Fixed for ever: another value would move every client of every sticky policy.
    #[test]
    fn rule_b5_keys_and_scores_never_change() {
        let key = StickyKey::new("192.0.2.77".parse().unwrap(), stable_hash(b"api"));
        assert_eq!(key, StickyKey::new("192.0.2.1".parse().unwrap(), stable_hash(b"api")));
        assert_ne!(key, StickyKey::new("192.0.3.1".parse().unwrap(), stable_hash(b"api")));
        // FNV's own test vectors.
        assert_eq!(stable_hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(stable_hash(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(key.0, 9_945_314_554_815_795_445);
        assert_eq!(key.score(7, target_key("p", "us"), 60), 763_925_257_361_817);
        let key = StickyKey::new("2001:db8:1:2::3".parse().unwrap(), 1);
        assert_eq!(key, StickyKey::new("2001:db8:1::".parse().unwrap(), 1));
    }
}
