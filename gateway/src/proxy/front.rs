//! What the front takes off a message and puts on it.
//!
//! Headers that belong to one hop end here, in both directions. Headers that speak of identity are
//! written by this proxy only: a client's own are dropped, in any spelling an endpoint might fold
//! into the same name.

use std::net::IpAddr;

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE, VIA};
use http::{Request, Uri, Version};

use super::head::HeadFault;
use super::target::host_name;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const VIA_ORRERY: HeaderValue = HeaderValue::from_static("1.1 orrery");
const PROTO_HTTP: HeaderValue = HeaderValue::from_static("http");

/// Headers that end at this hop. `Expect` is answered here, `TE` and `Trailer` speak of framing.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "expect"
    )
}

/// Headers whose word an endpoint takes for who asks and from where. CGI and its heirs read `_` as
/// `-`, so both are the same name here.
fn speaks_of_identity(name: &str) -> bool {
    let bytes = name.as_bytes();
    let begins = |with: &str| {
        bytes.len() >= with.len() && bytes.iter().zip(with.bytes()).all(|(&a, b)| a == b || (a == b'_' && b == b'-'))
    };
    begins("x-orrery-")
        || begins("x-forwarded-")
        || name == "forwarded"
        || name == "via"
        || (begins("x-real-ip") && bytes.len() == 9)
}

/// Whether a client may have sent it and an endpoint must not see it.
fn is_unwelcome(name: &str) -> bool {
    is_hop_by_hop(name) || speaks_of_identity(name)
}

/// Removes what ends at this hop, and what `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    strip(headers, is_hop_by_hop);
}

/// The same for a request from outside: identity headers go too.
pub(crate) fn strip_from_client(headers: &mut HeaderMap) {
    strip(headers, is_unwelcome);
}

fn strip(headers: &mut HeaderMap, unwanted: fn(&str) -> bool) {
    let mut names: Vec<HeaderName> = Vec::new();
    if headers.contains_key(CONNECTION) {
        names.extend(named_in_connection(headers));
    }
    names.extend(headers.keys().filter(|name| unwanted(name.as_str())).cloned());
    for name in names {
        headers.remove(name);
    }
}

/// What `Connection` declares to be of this hop; the headers a message cannot live without are not.
fn named_in_connection(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let tokens = connection_tokens(headers);
    let names = tokens.filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok());
    names.filter(|name| name != HOST && name != http::header::CONTENT_LENGTH)
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// The protocol a client offers to change to. `h2c` is not passed on: it would hide requests from
/// this proxy.
pub(crate) fn upgrade_offer<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    let offer = headers.get(UPGRADE)?;
    let asked = connection_tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let offers = offer.to_str().ok()?;
    let hides = offers.split(',').any(|name| name.trim().to_ascii_lowercase().starts_with("h2"));
    (asked && !hides).then(|| offer.clone())
}

/// Writes the offer (or the acceptance) to change protocol for the next hop.
pub(crate) fn put_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// The one host a request is for, normalised, and the `Host` value to pass on.
pub(crate) fn host_of(uri: &Uri, headers: &HeaderMap) -> Result<(String, HeaderValue), HeadFault> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(HeadFault::ManyHosts);
    }
    let value = match (header, uri.authority()) {
        (Some(header), None) => header.clone(),
        (None, None) => return Err(HeadFault::MissingHost),
        (header, Some(authority)) => {
            let same = |header: &HeaderValue| header.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
            if !header.is_none_or(same) {
                return Err(HeadFault::BadHost);
            }
            HeaderValue::from_str(authority.as_str()).map_err(|_| HeadFault::BadHost)?
        }
    };
    let name = value.to_str().ok().and_then(host_name).ok_or(HeadFault::BadHost)?;
    Ok((name.into_owned(), value))
}

/// The value of `X-Forwarded-For` for a peer; made once per connection.
pub(crate) fn forwarded_for(peer: IpAddr) -> HeaderValue {
    let text = peer.to_canonical().to_string();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Says where the request came from, in this proxy's word.
pub(crate) fn put_origin(headers: &mut HeaderMap, forwarded_for: HeaderValue, host: HeaderValue) {
    headers.insert(FORWARDED_FOR, forwarded_for);
    headers.insert(FORWARDED_PROTO, PROTO_HTTP);
    headers.insert(FORWARDED_HOST, host.clone());
    headers.insert(HOST, host);
    headers.insert(VIA, VIA_ORRERY);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn identity_from_a_client_does_not_pass_in_any_spelling() {
        let mut mixed = headers(&[
            ("host", "a"),
            ("x-orrery-principal", "user:root"),
            ("x_orrery_principal", "user:root"),
            ("x-orrery_groups", "staff"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("via", "1.1 somewhere"),
            ("x-real-ipsum", "kept"),
            ("x-order", "kept"),
        ]);
        strip_from_client(&mut mixed);
        let mut left: Vec<_> = mixed.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "x-order", "x-real-ipsum"]);
    }

    #[test]
    fn what_connection_names_ends_here() {
        let mut mixed = headers(&[
            ("connection", "close, x-private, host"),
            ("x-private", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("host", "a"),
        ]);
        strip_hop_by_hop(&mut mixed);
        assert_eq!(mixed.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["host"]);
    }

    #[test]
    fn host_and_authority_must_agree() {
        let absolute: Uri = "http://a.test/x".parse().expect("a uri");
        assert!(host_of(&absolute, &headers(&[("host", "A.test")])).is_ok());
        assert!(host_of(&absolute, &headers(&[])).is_ok());
        assert_eq!(host_of(&absolute, &headers(&[("host", "b.test")])), Err(HeadFault::BadHost));
        let origin: Uri = "/x".parse().expect("a uri");
        assert_eq!(host_of(&origin, &headers(&[])), Err(HeadFault::MissingHost));
        let with_user: Uri = "http://u@a.test/x".parse().expect("a uri");
        assert_eq!(host_of(&with_user, &headers(&[])), Err(HeadFault::BadHost));
    }
}
