//! Following a chunked body byte by byte, only to know where it ends.
//!
//! Stricter than the readers behind it: every line ends in CR LF, a size is plain hexadecimal. So
//! whatever passes here ends at the same byte for everyone.

use std::io;

/// Bytes of one size line's extension, and of all trailers, before the body is refused.
const LINE_BYTES_MAX: u32 = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Size { digits: u8, value: u64 },
    Extension { value: u64 },
    SizeEnd { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// Where in a chunked body the reader stands.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    part: Part,
    line_bytes: u32,
    /// Bytes judged and not yet handed on.
    judged: usize,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { part: Part::Size { digits: 0, value: 0 }, line_bytes: 0, judged: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.part == Part::Done && self.judged == 0
    }

    /// How many bytes at the front of `held` belong to this body.
    pub(crate) fn admit(&mut self, held: &[u8]) -> io::Result<usize> {
        while self.judged < held.len() && self.part != Part::Done {
            if let Part::Data { left } = self.part {
                let here = (held.len() - self.judged) as u64;
                let taken = left.min(here);
                // `taken` is no more than a slice's length.
                self.judged += taken as usize;
                let left = left - taken;
                self.part = if left == 0 { Part::DataCr } else { Part::Data { left } };
            } else {
                self.part = self.step(held[self.judged])?;
                self.judged += 1;
            }
        }
        Ok(self.judged)
    }

    /// Takes note that `count` admitted bytes were handed on.
    pub(crate) fn moved(&mut self, count: usize) {
        self.judged -= count;
    }

    fn step(&mut self, byte: u8) -> io::Result<Part> {
        let in_line = matches!(self.part, Part::Extension { .. } | Part::Trailer | Part::TrailerStart);
        if in_line {
            self.line_bytes += 1;
            if self.line_bytes > LINE_BYTES_MAX {
                return Err(broken("a chunk's line is too long"));
            }
        }
        match (self.part, byte) {
            (Part::Size { digits, value }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Ok(Part::Size { digits: digits + 1, value: value << 4 | u64::from(digit) })
            }
            (Part::Size { digits: 1.., value }, b'\r') => Ok(Part::SizeEnd { value }),
            (Part::Size { digits: 1.., value }, b';') => Ok(Part::Extension { value }),
            (Part::Extension { value }, b'\r') => Ok(Part::SizeEnd { value }),
            (Part::Extension { value }, b'\t' | 0x20..=0x7e | 0x80..) => Ok(Part::Extension { value }),
            (Part::SizeEnd { value: 0 }, b'\n') => Ok(Part::TrailerStart),
            (Part::SizeEnd { value }, b'\n') => {
                self.line_bytes = 0;
                Ok(Part::Data { left: value })
            }
            (Part::DataCr, b'\r') => Ok(Part::DataLf),
            (Part::DataLf, b'\n') => Ok(Part::Size { digits: 0, value: 0 }),
            (Part::TrailerStart, b'\r') => Ok(Part::EndLf),
            (Part::TrailerStart | Part::Trailer, b'\t' | 0x20..=0x7e | 0x80..) => Ok(Part::Trailer),
            (Part::Trailer, b'\r') => Ok(Part::TrailerLf),
            (Part::TrailerLf, b'\n') => Ok(Part::TrailerStart),
            (Part::EndLf, b'\n') => Ok(Part::Done),
            _ => Err(broken("a chunked body is malformed")),
        }
    }
}

fn broken(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

    #[test]
    fn a_body_ends_where_its_last_chunk_ends() {
        let mut all = BODY.to_vec();
        all.extend_from_slice(b"GET / HTTP/1.1");
        let mut chunks = Chunks::new();
        assert_eq!(chunks.admit(&all).expect("well-formed"), BODY.len());
        chunks.moved(BODY.len());
        assert!(chunks.is_done());
    }

    #[test]
    fn it_ends_at_the_same_byte_however_it_arrives() {
        let mut chunks = Chunks::new();
        for (at, byte) in BODY.iter().enumerate() {
            assert!(!chunks.is_done(), "byte {at} still belongs to the body");
            assert_eq!(chunks.admit(&[*byte]).expect("well-formed"), 1);
            chunks.moved(1);
        }
        assert!(chunks.is_done());
    }

    #[test]
    fn a_loose_chunk_is_refused() {
        for body in [
            "5\nhello\r\n",
            "+5\r\n",
            "0x5\r\n",
            "\r\n",
            ";\r\n",
            "5\r\nhello!",
            "5 \r\n",
            "0\r\n\n",
            "1234567890123456\r\n",
        ] {
            assert!(Chunks::new().admit(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
