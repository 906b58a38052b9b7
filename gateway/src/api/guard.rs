//! Who may talk to the API: programs on this machine, but no web page that a browser on this machine has open.
//!
//! The API has no logins of its own; whoever can reach its address is the operator. A page from elsewhere can make a
//! browser send requests, also under a name that it lets point to this machine, so both are refused.

use super::failed::Failed;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use messages::envelope::Principal;
use messages::reason::Reason;
use std::net::IpAddr;

/// On whose authority commands come in here.
pub const OPERATOR: &str = "user:operator";

/// The principal of whoever reaches the API.
pub(super) fn operator() -> Principal {
    Principal { name: OPERATOR.into(), groups: vec!["operators".into()] }
}

/// Lets a request through, or refuses it.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    if is_ours(request.headers()) {
        return next.run(request).await;
    }
    let message = "requests of web pages from elsewhere are refused; use the address of the API, or localhost";
    Failed::of(StatusCode::FORBIDDEN, Reason::PolicyForbids, message).into_response()
}

fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST);
    let local = host.is_none_or(is_local_name);
    let same = match text(header::ORIGIN) {
        None => true,
        Some(origin) => origin.parse::<Uri>().is_ok_and(|uri| uri.authority().map(|at| at.as_str()) == host),
    };
    local && same
}

/// Whether nobody elsewhere can make this name theirs: an address, or a name without a domain.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    name.parse::<IpAddr>().is_ok() || !name.contains('.') || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a host"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("an origin"));
        }
        headers
    }

    #[test]
    fn programs_and_our_own_pages_come_through() {
        assert!(is_ours(&headers("127.0.0.1:7070", None)));
        assert!(is_ours(&headers("[::1]:7070", None)));
        assert!(is_ours(&headers("localhost:7070", Some("http://localhost:7070"))));
    }

    #[test]
    fn pages_from_elsewhere_do_not() {
        assert!(!is_ours(&headers("127.0.0.1:7070", Some("https://page.example"))));
        assert!(!is_ours(&headers("127.0.0.1:7070", Some("null"))));
        assert!(!is_ours(&headers("rebound.example:7070", Some("http://rebound.example:7070"))));
    }
}
