//! The admin socket: a bound on what strangers can hold there.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::limits::{ADMIN_CONNECTIONS, ADMIN_HEADER_SECONDS};

/// Serves connections for ever, so many at a time; a further one waits in the kernel's queue.
pub async fn serve_admin(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "can't accept an admin connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(ADMIN_HEADER_SECONDS))
                .serve_connection(TokioIo::new(stream), service);
            // How a client ends its connection is its own affair.
            let _ = connection.await;
            drop(place);
        });
    }
}
