//! What the proxy answers in its own name, each with a stable reason code.

use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use thiserror::Error;

use super::body::ReplyBody;
use super::head::HeadFault;
use super::identity::TokenFault;
use super::target::PathFault;

/// Why a request gets no answer from an endpoint.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Head(#[from] HeadFault),
    #[error("{0}")]
    Path(#[from] PathFault),
    #[error("this proxy does not serve the method {0}")]
    Method(http::Method),
    #[error("no route answers for {host}{path}")]
    NoRoute { host: String, path: String },
    #[error("the service {0} is not known here")]
    NoService(String),
    #[error("{name} has no healthy endpoint now")]
    NoHealthyEndpoint { name: String },
    #[error("no endpoint of {name} could be reached after {tries} tries")]
    Unreachable { name: String, tries: u32 },
    #[error("an endpoint of {name} ended the connection before it answered")]
    BrokenOff { name: String },
    #[error("an endpoint of {name} answered with something that is not HTTP")]
    BadAnswer { name: String },
    #[error("an endpoint of {name} did not answer in time")]
    Slow { name: String },
    #[error("route {name} needs a token: {fault}")]
    Unidentified { name: String, fault: TokenFault },
    #[error("{principal} may not enter route {name}; it needs one of {}", needed.join(", "))]
    NotPermitted { name: String, principal: String, needed: Vec<String> },
}

#[derive(Serialize)]
struct Answer<'a> {
    reason: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<&'a [String]>,
}

impl Refusal {
    /// The stable reason code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Head(fault) => fault.code(),
            Self::Path(_) => "bad-path",
            Self::Method(_) => "method-not-served",
            Self::NoRoute { .. } => "no-route",
            Self::NoService(_) => "no-service",
            Self::NoHealthyEndpoint { .. } => "no-healthy-endpoint",
            Self::Unreachable { .. } => "endpoints-unreachable",
            Self::BrokenOff { .. } => "endpoint-broke-off",
            Self::BadAnswer { .. } => "endpoint-bad-answer",
            Self::Slow { .. } => "endpoint-slow",
            Self::Unidentified { fault, .. } => fault.code(),
            Self::NotPermitted { .. } => "not-permitted",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Head(HeadFault::TooLarge) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Head(_) | Self::Path(_) => StatusCode::BAD_REQUEST,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoRoute { .. } => StatusCode::NOT_FOUND,
            Self::NoService(_) | Self::NoHealthyEndpoint { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable { .. } | Self::BrokenOff { .. } | Self::BadAnswer { .. } => StatusCode::BAD_GATEWAY,
            Self::Slow { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Unidentified { .. } => StatusCode::UNAUTHORIZED,
            Self::NotPermitted { .. } => StatusCode::FORBIDDEN,
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::NoHealthyEndpoint { name }
            | Self::Unreachable { name, .. }
            | Self::BrokenOff { name }
            | Self::BadAnswer { name }
            | Self::Slow { name }
            | Self::Unidentified { name, .. }
            | Self::NotPermitted { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The answer for the client.
    pub(crate) fn answer(&self) -> Response<ReplyBody> {
        let needed = match self {
            Self::NotPermitted { needed, .. } => Some(needed.as_slice()),
            _ => None,
        };
        let message = self.to_string();
        let answer = Answer { reason: self.code(), message, route: self.name(), needed };
        let mut body = serde_json::to_vec(&answer).unwrap_or_default();
        body.push(b'\n');
        let mut response = Response::new(ReplyBody::Own(Some(body.into())));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::Unidentified { fault, .. } => {
                let challenge = HeaderValue::from_static(fault.challenge());
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            Self::Head(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::NoHealthyEndpoint { .. } => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
