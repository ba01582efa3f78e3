//! The control socket: what changes the server, kept apart from the admin address, which only reads.
//!
//! A Unix socket in the state directory that its owner alone may open, and nothing else guards: who can open it may do everything.
//! HTTP/1 with JSON bodies; errors are problem documents (RFC 9457). What the admin address gives to read can be read here, too.
//!
//! | path | does |
//! |---|---|
//! | `POST /api/v1/reload` | takes over zone files and geo databases; the answer comes when they are served |
//! | `POST /api/v1/overrides`, `DELETE /api/v1/overrides/{id}` | sets an override, takes it back |
//! | `POST /api/v1/reports` | says of an external check whether it holds |
//! | `POST /api/v1/confirm` | lets what recovers by hand come back |
//! | `POST /api/v1/guard/release` | believes what the guard holds back |

mod checks;
mod client;
mod overrides;
mod peer;
mod problem;
mod reload;

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, post};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use super::http::{Admin, reading_router};
use crate::limits::CONTROL_REQUEST_OCTETS;

pub use checks::{
    ConfirmRequest, ConfirmTaken, GuardReleased, ReportRequest, ReportTaken, ReportedState,
};
pub use client::{AskError, ask, ask_reload};
pub use overrides::{
    ActionWord, Draft, HeldOverride, OverrideChange, OverrideOrder, OverrideRequest,
};
pub use problem::Problem;
pub use reload::{ReloadOrder, ReloadReport, ReloadRequest, ReloadedZone};

/// The socket's name in the state directory.
const SOCKET_NAME: &str = "control";
const RELOAD_PATH: &str = "/api/v1/reload";

/// Where what was asked for goes.
#[derive(Clone, Debug)]
pub struct Control {
    /// What is read.
    pub admin: Arc<Admin>,
    /// To the one who reloads.
    pub reloads: mpsc::Sender<ReloadOrder>,
    /// To the one who keeps the overrides.
    pub overrides: mpsc::Sender<OverrideOrder>,
}

/// Makes the socket, in the place of one that a dead server left. The caller has the directory's lock, so that no living server
/// has it.
///
/// # Errors
/// The directory can't be written to, or its path is too long for a socket's (107 octets).
pub fn bind_control(directory: &Path) -> io::Result<UnixListener> {
    // Made where nobody else can look, and shown when its permissions are right.
    let aside = directory.join(".control.new");
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&aside)?;
    let unfinished = aside.join(SOCKET_NAME);
    let bound = UnixListener::bind(&unfinished).and_then(|listener| {
        fs::set_permissions(&unfinished, Permissions::from_mode(0o600))?;
        fs::rename(&unfinished, directory.join(SOCKET_NAME))?;
        Ok(listener)
    });
    let _ = fs::remove_dir_all(&aside);
    bound
}

/// Serves the socket for ever.
pub async fn serve_control(listener: UnixListener, control: Control) {
    let reading = reading_router(Arc::clone(&control.admin));
    let writing = Router::new()
        .route(RELOAD_PATH, post(reload::order_reload))
        .route("/api/v1/overrides", post(overrides::set_override))
        .route("/api/v1/overrides/{id}", delete(overrides::lift_override))
        .route("/api/v1/reports", post(checks::take_report))
        .route("/api/v1/confirm", post(checks::confirm))
        .route("/api/v1/guard/release", post(checks::release_guard))
        .layer(DefaultBodyLimit::max(CONTROL_REQUEST_OCTETS))
        .with_state(control);
    let service = reading.merge(writing).into_make_service_with_connect_info::<peer::Peer>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!("the control socket is closed: {error}");
    }
}
