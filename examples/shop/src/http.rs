//! As much of HTTP/1.1 as the shop speaks: heads and bodies of a stated length, on either side of a connection.

use std::io::{self, BufRead, Read, Write};

/// The most bytes a head (first line and headers) may have.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most bytes a body may have.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without what follows a `?`.
    pub path: String,
    /// The body, empty when there is none.
    pub body: Vec<u8>,
    /// Whether the connection may carry another request after this one.
    pub keep_alive: bool,
}

/// What is answered: always JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, JSON text.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer with this status and JSON text.
    pub fn new(status: u16, json: impl Into<Vec<u8>>) -> Answer {
        Answer { status, body: json.into() }
    }

    /// Whether the status says that the request was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The first line of a message and the headers we act on.
#[derive(Debug)]
struct Head {
    first_line: String,
    body_length: Option<usize>,
    close: bool,
    keep_alive: bool,
}

/// Reads one request; `None` when the other side closed the connection between two requests.
pub fn read_request(connection: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(head) = read_head(connection)? else {
        return Ok(None);
    };
    let mut words = head.first_line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed("the request line is not `METHOD PATH VERSION`"));
    };
    let path = target.split('?').next().unwrap_or_default().to_owned();
    if !path.starts_with('/') {
        return Err(malformed("the path does not begin with a slash"));
    }
    let keep_alive = keeps_alive(version, &head)?;
    let method = method.to_owned();
    let body = read_exactly(connection, head.body_length.unwrap_or(0))?;
    Ok(Some(Request { method, path, body, keep_alive }))
}

/// Reads one answer, and whether the connection may carry another request.
pub fn read_answer(connection: &mut impl BufRead) -> io::Result<(Answer, bool)> {
    let Some(head) = read_head(connection)? else {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed before the answer"));
    };
    let mut words = head.first_line.split(' ');
    let version = words.next().unwrap_or_default();
    let keep_alive = keeps_alive(version, &head)?;
    let status =
        words.next().and_then(|word| word.parse().ok()).ok_or_else(|| malformed("the answer has no status code"))?;
    if let Some(length) = head.body_length {
        return Ok((Answer { status, body: read_exactly(connection, length)? }, keep_alive));
    }
    let mut body = Vec::new();
    connection.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut body)?;
    if body.len() > BODY_BYTES_MAX {
        return Err(malformed("the body is longer than the shop accepts"));
    }
    Ok((Answer { status, body }, false))
}

/// Writes a request in one piece, so that it is never left half in a buffer.
pub fn write_request(connection: &mut impl Write, method: &str, path: &str, host: &str, body: &[u8]) -> io::Result<()> {
    let mut bytes =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    connection.write_all(&bytes)
}

/// Writes an answer in one piece, saying whether the connection stays open.
pub fn write_answer(connection: &mut impl Write, answer: &Answer, keep_alive: bool) -> io::Result<()> {
    let (status, length) = (answer.status, answer.body.len());
    let (reason, connection_word) = (reason(status), if keep_alive { "keep-alive" } else { "close" });
    let mut bytes = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: {connection_word}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(&answer.body);
    connection.write_all(&bytes)
}

fn read_head(connection: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut left = HEAD_BYTES_MAX;
    let Some(first_line) = read_line(connection, &mut left)? else {
        return Ok(None);
    };
    let mut head = Head { first_line, body_length: None, close: false, keep_alive: false };
    loop {
        let line = read_line(connection, &mut left)?.ok_or_else(|| malformed("the head ends too early"))?;
        if line.is_empty() {
            return Ok(Some(head));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header has no colon"))?;
        read_header(&mut head, name, value.trim())?;
    }
}

fn read_header(head: &mut Head, name: &str, value: &str) -> io::Result<()> {
    if name.eq_ignore_ascii_case("content-length") {
        let length = value.parse().map_err(|_| malformed("the content length is not a number"))?;
        if length > BODY_BYTES_MAX {
            return Err(malformed("the body is longer than the shop accepts"));
        }
        if head.body_length.is_some_and(|earlier| earlier != length) {
            return Err(malformed("two content lengths disagree"));
        }
        head.body_length = Some(length);
    } else if name.eq_ignore_ascii_case("transfer-encoding") {
        return Err(malformed("chunked bodies are not spoken here"));
    } else if name.eq_ignore_ascii_case("connection") {
        head.close |= value.eq_ignore_ascii_case("close");
        head.keep_alive |= value.eq_ignore_ascii_case("keep-alive");
    }
    Ok(())
}

/// One line without its end; `None` when the connection ended before the line began.
fn read_line(connection: &mut impl BufRead, left: &mut usize) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let count = connection.take(*left as u64).read_until(b'\n', &mut line)?;
    if count == 0 && *left > 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(malformed("the head is too long or ends too early"));
    }
    *left -= count;
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map(Some).map_err(|_| malformed("the head is not text"))
}

fn read_exactly(connection: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    connection.read_exact(&mut body).map_err(|problem| match problem.kind() {
        io::ErrorKind::UnexpectedEof => malformed("the body was cut short"),
        _ => problem,
    })?;
    Ok(body)
}

fn keeps_alive(version: &str, head: &Head) -> io::Result<bool> {
    match version {
        "HTTP/1.1" => Ok(!head.close),
        "HTTP/1.0" => Ok(head.keep_alive && !head.close),
        _ => Err(malformed("only HTTP/1.0 and HTTP/1.1 are spoken here")),
    }
}

fn malformed(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &[u8]) -> io::Result<Option<Request>> {
        read_request(&mut io::Cursor::new(bytes))
    }

    #[test]
    fn two_requests_follow_each_other_on_one_connection() {
        let mut bytes = Vec::new();
        write_request(&mut bytes, "POST", "/orders?x=1", "shop", b"item=tea").expect("a vector takes all");
        write_request(&mut bytes, "GET", "/", "shop", b"").expect("a vector takes all");
        let mut connection = io::Cursor::new(bytes);
        let first = read_request(&mut connection).expect("well formed").expect("a request");
        assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/orders"));
        assert_eq!((first.body.as_slice(), first.keep_alive), (b"item=tea".as_slice(), true));
        assert_eq!(read_request(&mut connection).expect("well formed").expect("a request").path, "/");
        assert_eq!(read_request(&mut connection).expect("a clean end"), None);
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let answer = Answer::new(502, "{}");
        for keep_alive in [true, false] {
            let mut bytes = Vec::new();
            write_answer(&mut bytes, &answer, keep_alive).expect("a vector takes all");
            assert_eq!(read_answer(&mut io::Cursor::new(bytes)).expect("well formed"), (answer.clone(), keep_alive));
        }
    }

    #[test]
    fn an_answer_without_a_length_ends_with_the_connection() {
        let bytes = b"HTTP/1.0 200 OK\r\n\r\n{\"a\":1}";
        let (answer, keep_alive) = read_answer(&mut io::Cursor::new(bytes)).expect("well formed");
        assert_eq!((answer, keep_alive), (Answer::new(200, "{\"a\":1}"), false));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bytes in [
            b"GET /\r\n\r\n".as_slice(),
            b"GET / HTTP/2\r\n\r\n",
            b"GET x HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            b"GET / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n",
            b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab",
            b"GET / HTT",
        ] {
            let problem = request(bytes).expect_err("this is no request of ours");
            assert_eq!(problem.kind(), io::ErrorKind::InvalidData, "{}", String::from_utf8_lossy(bytes));
        }
        let endless = vec![b'a'; HEAD_BYTES_MAX * 2];
        assert_eq!(request(&endless).expect_err("too long").kind(), io::ErrorKind::InvalidData);
    }
}
