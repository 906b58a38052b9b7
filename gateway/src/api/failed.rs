//! What is answered when a request is not done.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use messages::api::Failure;
use messages::reason::{Reason, Refusal};

/// A failure, with the status that HTTP has for it.
#[derive(Debug)]
pub(super) struct Failed(pub StatusCode, pub Failure);

impl Failed {
    /// The question makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, Reason::Invalid, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(StatusCode::NOT_FOUND, Reason::NotFound, message)
    }

    /// It cannot be answered now.
    pub fn unavailable(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, reason, message)
    }

    /// With this status.
    pub fn of(status: StatusCode, reason: Reason, message: impl Into<String>) -> Self {
        Self(status, Refusal::new(reason, message).into())
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let status = match failure.reason {
            Reason::Invalid => StatusCode::BAD_REQUEST,
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::Overloaded | Reason::NotDurable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::CONFLICT,
        };
        Self(status, failure)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// Nothing is there.
pub(super) async fn no_such_path(uri: Uri) -> Failed {
    Failed::not_found(format!("there is nothing at {}; /openapi.json says what there is", uri.path()))
}
