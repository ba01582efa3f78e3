//! The TCP check: a connection that is accepted is a success (Route 53 rule 60). Nothing is sent.

use std::net::SocketAddr;

use super::blame::Miss;
use super::connect::connect;

/// Connects and closes.
pub(super) async fn probe(address: SocketAddr) -> Result<(), Miss> {
    connect(address).await.map(drop)
}
