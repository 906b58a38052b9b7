//! What a request asks for, in one spelling: the path and the host as routing and policy see them.
//!
//! `/x/../deny`, `//deny` and `/%64eny` are the same `/deny`. What cannot be given one certain
//! meaning (an encoded slash, a climb above the root) is refused instead of guessed.

use std::borrow::Cow;

use thiserror::Error;

/// Why a path has no single meaning.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PathFault {
    /// It does not begin with a slash.
    #[error("the path must begin with /")]
    NotAbsolute,
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a broken percent escape")]
    BadEscape,
    /// A slash, backslash or control byte, plain or hidden in an escape.
    #[error("the path hides a separator or a control byte")]
    HiddenSeparator,
    /// A byte that must be percent-encoded.
    #[error("the path has a byte outside ascii")]
    NotAscii,
    /// `..` above the root.
    #[error("the path climbs above its root")]
    EscapesRoot,
    /// `..;x`, which some servers read as `..`.
    #[error("the path puts a parameter on a dot segment")]
    DotParameter,
}

/// The one spelling of `path`; borrowed when it already is.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, PathFault> {
    if !path.starts_with('/') {
        return Err(PathFault::NotAbsolute);
    }
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode_unreserved(path.as_bytes())?;
    resolve(&decoded).map(Cow::Owned)
}

fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    for &byte in path {
        let separator_run = before == b'/' && (byte == b'/' || byte == b'.');
        if separator_run || byte == b'%' || byte == b'\\' || !(0x21..0x7f).contains(&byte) {
            return false;
        }
        before = byte;
    }
    true
}

/// Decodes escapes of unreserved characters and writes the others in capitals.
fn decode_unreserved(path: &[u8]) -> Result<String, PathFault> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'\\' | 0..=0x20 | 0x7f => return Err(PathFault::HiddenSeparator),
            0x80.. => return Err(PathFault::NotAscii),
            b'%' => {
                let high = hex(rest.next())?;
                let low = hex(rest.next())?;
                push_escaped(&mut out, high << 4 | low)?;
            }
            plain => out.push(char::from(plain)),
        }
    }
    Ok(out)
}

fn hex(digit: Option<&u8>) -> Result<u8, PathFault> {
    let digit = digit.map(|&byte| char::from(byte)).and_then(|c| c.to_digit(16));
    digit.and_then(|value| u8::try_from(value).ok()).ok_or(PathFault::BadEscape)
}

fn push_escaped(out: &mut String, byte: u8) -> Result<(), PathFault> {
    match byte {
        b'/' | b'\\' | 0..=0x1f | 0x7f => Err(PathFault::HiddenSeparator),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            out.push(char::from(byte));
            Ok(())
        }
        other => {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(DIGITS[usize::from(other >> 4)]));
            out.push(char::from(DIGITS[usize::from(other & 15)]));
            Ok(())
        }
    }
}

/// Collapses empty and dot segments.
fn resolve(path: &str) -> Result<String, PathFault> {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        ends_open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop().ok_or(PathFault::EscapesRoot)?;
            }
            other => {
                let name = other.split(';').next().unwrap_or_default();
                if name == "." || name == ".." {
                    return Err(PathFault::DotParameter);
                }
                kept.push(other);
            }
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if ends_open || kept.is_empty() {
        out.push('/');
    }
    Ok(out)
}

/// Whether the normalised `path` lies under `prefix` (normalised, without its last slash).
pub(crate) fn is_under(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        // A parameter belongs to its segment: `/deny;x` is under `/deny`.
        Some(rest) => rest.is_empty() || rest.starts_with('/') || rest.starts_with(';'),
        None => false,
    }
}

/// The name in a `Host` value or authority: lower case, without port and last dot.
/// `None` when it is not a host name or address.
pub(crate) fn host_name(value: &str) -> Option<Cow<'_, str>> {
    let (name, port) = if value.starts_with('[') {
        let end = value.find(']')?;
        let inside = &value[1..end];
        inside.parse::<std::net::Ipv6Addr>().ok()?;
        (&value[..=end], &value[end + 1..])
    } else {
        let end = value.find(':').unwrap_or(value.len());
        let name = &value[..end];
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return None;
        }
        (name, &value[end..])
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if (!port.is_empty() && !port.starts_with(':')) || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(Cow::Owned(name.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_place_has_one_spelling() {
        for spelling in ["/deny", "//deny", "/x/../deny", "/%64eny", "/./deny", "/x/%2e%2E/deny"] {
            assert_eq!(normalise(spelling).as_deref(), Ok("/deny"), "{spelling}");
        }
        assert_eq!(normalise("/a/b/..").as_deref(), Ok("/a/"));
        assert_eq!(normalise("/a/.").as_deref(), Ok("/a/"));
        assert_eq!(normalise("/").as_deref(), Ok("/"));
        assert_eq!(normalise("/a/..").as_deref(), Ok("/"));
        assert_eq!(normalise("/%c3%a4%25").as_deref(), Ok("/%C3%A4%25"));
        assert_eq!(normalise("/a...b/.well-known").as_deref(), Ok("/a...b/.well-known"));
    }

    #[test]
    fn what_has_no_certain_meaning_is_refused() {
        for (path, fault) in [
            ("/../deny", PathFault::EscapesRoot),
            ("/a/../../deny", PathFault::EscapesRoot),
            ("/%2e%2e/deny", PathFault::EscapesRoot),
            ("/a%2fb", PathFault::HiddenSeparator),
            ("/a%5Cb", PathFault::HiddenSeparator),
            ("/a\\b", PathFault::HiddenSeparator),
            ("/a%00", PathFault::HiddenSeparator),
            ("/a%zz", PathFault::BadEscape),
            ("/a%4", PathFault::BadEscape),
            ("/a%", PathFault::BadEscape),
            ("/a/..;x=1/deny", PathFault::DotParameter),
            ("deny", PathFault::NotAbsolute),
            ("", PathFault::NotAbsolute),
        ] {
            assert_eq!(normalise(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        assert!(is_under("/deny", "/deny") && is_under("/deny/x", "/deny"));
        assert!(is_under("/deny;x", "/deny") && is_under("/anything", ""));
        assert!(!is_under("/denying", "/deny"));
    }

    #[test]
    fn hosts_are_compared_without_case_port_and_dot() {
        assert_eq!(host_name("A.Shop.Test:8080").as_deref(), Some("a.shop.test"));
        assert_eq!(host_name("a.shop.test.").as_deref(), Some("a.shop.test"));
        assert_eq!(host_name("[::1]:80").as_deref(), Some("[::1]"));
        for bad in ["", ".", "a b", "a@b", "a:80:90", "a/b", "[::1", "[::1]x", "a:port", "ä"] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn normalising_is_stable_and_never_leaves_the_root(path in "/([a-zA-Z./;%\\\\ä]|%2[eEfF5]|%[0-9a-f]{2}|\\.\\.|//){0,16}") {
            if let Ok(once) = normalise(&path) {
                prop_assert!(once.starts_with('/'));
                prop_assert!(!once.contains("//"));
                prop_assert!(once.split('/').all(|segment| segment != ".." && segment != "."));
                let twice = normalise(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
            }
        }
    }
}
