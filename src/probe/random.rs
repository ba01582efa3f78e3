//! What nobody else may guess: the identifiers by which a probe knows its own answer.

use super::blame::Miss;
use crate::health::NothingReason;
use crate::sys::random_seed;

/// Sixty-four bits of the operating system's generator; it fails only where the system call is forbidden.
pub(super) fn random() -> Result<u64, Miss> {
    random_seed().map_err(|_| Miss::Nothing(NothingReason::Forbidden))
}
