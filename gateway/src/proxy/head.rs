//! The strict reading of a request head, on its raw bytes.
//!
//! The HTTP library forgives: it drops `Content-Length` beside `Transfer-Encoding` and merges equal
//! lengths before anyone sees them. Two readers that forgive differently are how requests are
//! smuggled, so a head is judged here first, and what is not exactly well-formed is refused.

use thiserror::Error;

/// Lines of headers a head may have.
const HEADER_LINES_MAX: usize = 100;

/// The header this proxy writes into the head it puts in place of a refused one.
pub(crate) const REFUSAL_HEADER: &str = "x-orrery-refusal";

/// Why a request head is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HeadFault {
    /// The request line is not `METHOD target HTTP/1.x`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A line ends without CR LF, or holds a stray one.
    #[error("a line of the head does not end in CR LF")]
    LineEnding,
    /// A header continues on the next line.
    #[error("a header is folded over two lines")]
    ObsoleteFold,
    /// A header's name is not a token.
    #[error("a header name has a forbidden byte")]
    HeaderName,
    /// A control byte in a header's value.
    #[error("a header value has a forbidden byte")]
    HeaderValue,
    /// No `Host`.
    #[error("the request names no host")]
    MissingHost,
    /// More than one `Host`.
    #[error("the request names more than one host")]
    ManyHosts,
    /// `Host` and the request line disagree, or neither is a host.
    #[error("the host is malformed or contradicts the request line")]
    BadHost,
    /// Both ways to say where the body ends.
    #[error("content-length stands beside transfer-encoding")]
    LengthBesideChunked,
    /// More than one length.
    #[error("content-length is given more than once")]
    ManyLengths,
    /// A length that is not a number.
    #[error("content-length is not a number")]
    BadLength,
    /// Another transfer coding than exactly `chunked`.
    #[error("transfer-encoding must be exactly chunked")]
    BadCoding,
    /// The head does not end within its limit.
    #[error("the head is larger than this proxy reads")]
    TooLarge,
    /// The client wrote a header that only this proxy writes.
    #[error("the request carries a header reserved to the proxy")]
    Reserved,
}

impl HeadFault {
    const ALL: [Self; 14] = [
        Self::RequestLine,
        Self::LineEnding,
        Self::ObsoleteFold,
        Self::HeaderName,
        Self::HeaderValue,
        Self::MissingHost,
        Self::ManyHosts,
        Self::BadHost,
        Self::LengthBesideChunked,
        Self::ManyLengths,
        Self::BadLength,
        Self::BadCoding,
        Self::TooLarge,
        Self::Reserved,
    ];

    /// The stable reason code.
    pub fn code(self) -> &'static str {
        match self {
            Self::RequestLine => "bad-request-line",
            Self::LineEnding => "bad-line-ending",
            Self::ObsoleteFold => "folded-header",
            Self::HeaderName => "bad-header-name",
            Self::HeaderValue => "bad-header-value",
            Self::MissingHost => "missing-host",
            Self::ManyHosts => "many-hosts",
            Self::BadHost => "bad-host",
            Self::LengthBesideChunked => "length-beside-chunked",
            Self::ManyLengths => "many-lengths",
            Self::BadLength => "bad-length",
            Self::BadCoding => "bad-transfer-encoding",
            Self::TooLarge => "head-too-large",
            Self::Reserved => "reserved-header",
        }
    }

    pub(crate) fn from_code(code: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code().as_bytes() == code)
    }
}

/// How many `Host` headers a head must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostRule {
    /// From outside: routing depends on it.
    ExactlyOne,
    /// On a link, where the listener already says whom the request is for.
    AtMostOne,
}

/// Where the body that follows a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    AfterBytes(u64),
    Chunked,
}

/// What the next bytes of the connection are, as the head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framing {
    pub body: BodyEnd,
    /// The client offers to leave HTTP after this request.
    pub upgrade: bool,
}

/// The end of the first head in `bytes`: one past its empty line. A bare LF ends a line here too, so
/// that a badly ended head is found and judged instead of waited for.
pub(crate) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    while let Some(offset) = bytes.get(at..)?.iter().position(|&byte| byte == b'\n') {
        let next = at + offset + 1;
        match bytes.get(next..)? {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

#[derive(Default)]
struct Seen {
    hosts: u32,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

/// Judges one whole head, its empty line included.
pub(crate) fn inspect(head: &[u8], rule: HostRule) -> Result<Framing, HeadFault> {
    let mut lines = Lines(head);
    let version_minor = request_line(lines.next_line()?)?;
    let mut seen = Seen::default();
    for count in 0.. {
        let line = lines.next_line()?;
        if line.is_empty() {
            break;
        }
        if count == HEADER_LINES_MAX {
            return Err(HeadFault::TooLarge);
        }
        header_line(line, &mut seen)?;
    }
    match (seen.hosts, rule) {
        (1, _) | (0, HostRule::AtMostOne) => {}
        (0, HostRule::ExactlyOne) => return Err(HeadFault::MissingHost),
        _ => return Err(HeadFault::ManyHosts),
    }
    let body = match (seen.chunked, seen.length) {
        (true, Some(_)) => return Err(HeadFault::LengthBesideChunked),
        (true, None) if version_minor == 0 => return Err(HeadFault::BadCoding),
        (true, None) => BodyEnd::Chunked,
        (false, length) => BodyEnd::AfterBytes(length.unwrap_or(0)),
    };
    Ok(Framing { body, upgrade: seen.upgrade })
}

struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Result<&'a [u8], HeadFault> {
        let end = self.0.iter().position(|&byte| byte == b'\n').ok_or(HeadFault::LineEnding)?;
        let line = self.0[..end].strip_suffix(b"\r").ok_or(HeadFault::LineEnding)?;
        self.0 = &self.0[end + 1..];
        Ok(line)
    }
}

fn request_line(line: &[u8]) -> Result<u8, HeadFault> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some(version), None) => (method, target, version),
        _ => return Err(HeadFault::RequestLine),
    };
    let target_ok = target.iter().all(|&byte| (0x21..0x7f).contains(&byte) && byte != b'#');
    if method.is_empty() || target.is_empty() || !target_ok || !method.iter().all(|&b| is_token(b)) {
        return Err(HeadFault::RequestLine);
    }
    match version {
        b"HTTP/1.1" => Ok(1),
        b"HTTP/1.0" => Ok(0),
        _ => Err(HeadFault::RequestLine),
    }
}

fn header_line(line: &[u8], seen: &mut Seen) -> Result<(), HeadFault> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(HeadFault::ObsoleteFold);
    }
    let colon = line.iter().position(|&byte| byte == b':').ok_or(HeadFault::HeaderName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return Err(HeadFault::HeaderName);
    }
    if value.contains(&b'\r') {
        return Err(HeadFault::LineEnding);
    }
    if !value.iter().all(|&byte| (byte >= 0x20 && byte != 0x7f) || byte == b'\t') {
        return Err(HeadFault::HeaderValue);
    }
    note(name, value.trim_ascii(), seen)
}

/// Remembers the headers on which framing and routing hang.
fn note(name: &[u8], value: &[u8], seen: &mut Seen) -> Result<(), HeadFault> {
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => seen.hosts += 1,
        7 if name.eq_ignore_ascii_case(b"upgrade") => seen.upgrade = true,
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            let length = decimal(value).ok_or(HeadFault::BadLength)?;
            if seen.length.replace(length).is_some() {
                return Err(HeadFault::ManyLengths);
            }
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            if seen.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadFault::BadCoding);
            }
            seen.chunked = true;
        }
        16 if name.eq_ignore_ascii_case(REFUSAL_HEADER.as_bytes()) => {
            return Err(HeadFault::Reserved);
        }
        _ => {}
    }
    Ok(())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// The bytes of a method or header name.
const fn is_token(byte: u8) -> bool {
    const TABLE: [bool; 256] = token_table();
    TABLE[byte as usize]
}

const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(head: &str) -> Result<Framing, HeadFault> {
        assert_eq!(head_end(head.as_bytes(), 0), Some(head.len()), "{head:?} is one head");
        inspect(head.as_bytes(), HostRule::ExactlyOne)
    }

    #[test]
    fn an_ordinary_head_says_where_its_body_ends() {
        let none = Framing { body: BodyEnd::AfterBytes(0), upgrade: false };
        assert_eq!(judge("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Ok(none));
        let five = Framing { body: BodyEnd::AfterBytes(5), upgrade: false };
        assert_eq!(judge("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), Ok(five));
        let chunked = Framing { body: BodyEnd::Chunked, upgrade: false };
        assert_eq!(judge("POST / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: CHUNKED\r\n\r\n"), Ok(chunked));
    }

    #[test]
    fn whatever_two_readers_might_read_differently_is_refused() {
        use HeadFault::*;
        for (head, fault) in [
            ("GET / HTTP/1.1\r\n\r\n", MissingHost),
            ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", ManyHosts),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                LengthBesideChunked,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                LengthBesideChunked,
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", ManyLengths),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", BadLength),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", BadLength),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", BadLength),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", BadCoding),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", BadCoding),
            ("GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", BadCoding),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", ObsoleteFold),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", HeaderName),
            ("GET / HTTP/1.1\r\nHost: a\r\nX\u{1}: 1\r\n\r\n", HeaderName),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", HeaderValue),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", LineEnding),
            ("GET / HTTP/1.1\nHost: a\n\n", LineEnding),
            ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", LineEnding),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
            ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", RequestLine),
            ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", RequestLine),
            ("GET / HTTP/1.1\r\nHost: a\r\nX-Orrery-Refusal: many-hosts\r\n\r\n", Reserved),
        ] {
            assert_eq!(judge(head), Err(fault), "{head:?}");
        }
    }

    #[test]
    fn every_code_leads_back_to_its_fault() {
        for fault in HeadFault::ALL {
            assert_eq!(HeadFault::from_code(fault.code().as_bytes()), Some(fault));
        }
    }
}
