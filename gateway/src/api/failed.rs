//! What is answered when a request is not done.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use messages::api::Failure;
use messages::reason::{Reason, Refusal};
use serde::de::DeserializeOwned;

/// A failure, with the status that HTTP has for it.
#[derive(Debug)]
pub(super) struct Failed(pub StatusCode, pub Box<Failure>);

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
        Self(status, Box::new(Refusal::new(reason, message).into()))
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
        Self(status, Box::new(failure))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// What stands in the query of a URL.
pub(super) struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failed> {
        let Query(asked) = Query::try_from_uri(&parts.uri).map_err(|error| Failed::invalid(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// It is there, but not for this method.
pub(super) async fn no_such_method(method: Method, uri: Uri) -> Failed {
    let message = format!("{} does not take {method}; /openapi.json says what it takes", uri.path());
    Failed::of(StatusCode::METHOD_NOT_ALLOWED, Reason::Invalid, message)
}

/// Nothing is there.
pub(super) async fn no_such_path(uri: Uri) -> Failed {
    Failed::not_found(format!("there is nothing at {}; /openapi.json says what there is", uri.path()))
}
