//! The TCP check: a connection that is accepted is a success (Route 53 rule 60), unless the peer has to say something.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::blame::{Miss, Raised, judge_io};
use super::body::Excerpt;
use super::connect::open;
use super::http::below;
use super::stream::Stream;
use super::trial::{Trial, within};
use crate::health::{FailureReason, Pattern, TcpCheck};
use crate::limits::BODY_OCTETS;

/// Octets that are read at once.
const PIECE: usize = 1024;

/// Connects, says what there is to say, and listens for what there is to hear.
pub(super) async fn probe(trial: &Trial<'_>, check: &TcpCheck) -> Result<(), Miss> {
    let phases = &trial.check().phases;
    let below = below(check.tls.as_ref(), check.host.as_deref(), trial);
    let mut stream = within(phases.connect, open(trial, trial.address, below, false)).await?;
    within(phases.reply, async {
        if let Some(octets) = &check.send {
            say(&mut stream, octets).await?;
        }
        match &check.expect {
            Some(pattern) => hear(&mut stream, pattern).await,
            None => Ok(()),
        }
    })
    .await
}

async fn say(stream: &mut Stream, octets: &[u8]) -> Result<(), Miss> {
    let judge = |error| judge_io(&error, Raised::Afterwards);
    stream.write_all(octets).await.map_err(judge)?;
    stream.flush().await.map_err(judge)
}

/// Reads until the pattern is there, the peer closes, or as much is in as is looked at.
async fn hear(stream: &mut Stream, pattern: &Pattern) -> Result<(), Miss> {
    let mut heard = Excerpt::new(BODY_OCTETS);
    let mut piece = [0; PIECE];
    while !heard.is_full() {
        let read = stream.read(&mut piece).await;
        let octets = read.map_err(|error| judge_io(&error, Raised::Afterwards))?;
        if octets == 0 {
            break;
        }
        heard.push(piece.get(..octets).unwrap_or_default());
        if pattern.is_in(heard.octets()) {
            return Ok(());
        }
    }
    let is_silent = heard.octets().is_empty();
    Err(Miss::Failure(if is_silent { FailureReason::Closed } else { FailureReason::Body }))
}
