//! The other end of the admin address: what `meridian healthcheck` and `meridian explain --live` ask with.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server that does not answer in this time is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Octets of an answer that are read.
const ANSWER_OCTETS: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub struct FetchError {
    address: SocketAddr,
    why: String,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer from http://{}: {}", self.address, self.why)?;
        f.write_str("\n  is the server running, and is this its --admin address?")
    }
}

impl std::error::Error for FetchError {}

/// Asks for a path. Gives the HTTP status and the body as text.
pub async fn fetch(address: SocketAddr, path: &str) -> Result<(u16, String), FetchError> {
    match timeout(PATIENCE, exchange(address, path)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(why)) => Err(FetchError { address, why: why.to_string() }),
        Err(_) => {
            Err(FetchError { address, why: format!("nothing within {} s", PATIENCE.as_secs()) })
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(address: SocketAddr, path: &str) -> Result<(u16, String), Failure> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request =
        hyper::Request::get(path).header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_OCTETS).collect().await?.to_bytes();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
