//! Reading the token file; what it may say stands in `identity`.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};
use sha2::{Digest, Sha256};
use thiserror::Error;
use toml_span::Value;
use toml_span::value::Table;

use super::identity::{FixedToken, Principal, TokenBook};
use super::signed::Issuer;

/// A shared secret shorter than this can be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// Why a token file is not read. Never quotes a secret.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("token file, line {line}: {what}")]
pub struct TokenFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub what: String,
}

struct Reader<'a> {
    text: &'a str,
}

pub(crate) fn parse(text: &str) -> Result<TokenBook, TokenFileError> {
    let reader = Reader { text };
    let root = toml_span::parse(text).map_err(|error| reader.fault(error.span.start, &error.kind.to_string()))?;
    let root = reader.table(&root, "the file")?;
    let mut book = TokenBook::default();
    for (kind, entries) in root {
        let entries = reader.table(entries, &kind.name)?;
        for (name, entry) in entries {
            let fields = reader.table(entry, &name.name)?;
            match &*kind.name {
                "token" => book.fixed.push(reader.fixed(&name.name, entry, fields)?),
                "jwt" => book.issuers.push(reader.issuer(entry, fields)?),
                _ => return Err(reader.fault(kind.span.start, "expected [token.NAME] or [jwt.NAME]")),
            }
        }
    }
    Ok(book)
}

impl Reader<'_> {
    fn fault(&self, at: usize, what: &str) -> TokenFileError {
        let before = self.text.get(..at).unwrap_or(self.text);
        TokenFileError { line: before.matches('\n').count() + 1, what: what.to_owned() }
    }

    fn table<'v>(&self, value: &'v Value<'v>, name: &str) -> Result<&'v Table<'v>, TokenFileError> {
        value.as_table().ok_or_else(|| self.fault(value.span.start, &format!("{name} must be a table")))
    }

    fn only(&self, fields: &Table<'_>, known: &[&str]) -> Result<(), TokenFileError> {
        match fields.keys().find(|key| !known.contains(&&*key.name)) {
            None => Ok(()),
            Some(key) => {
                let what = format!("unknown field {:?}; known here: {}", key.name, known.join(", "));
                Err(self.fault(key.span.start, &what))
            }
        }
    }

    fn text<'v>(&self, fields: &'v Table<'v>, name: &str) -> Result<Option<&'v str>, TokenFileError> {
        let Some(value) = fields.get(name) else {
            return Ok(None);
        };
        let text = value.as_str().filter(|text| !text.is_empty());
        let what = || self.fault(value.span.start, &format!("{name} must be text, and not empty"));
        text.map(Some).ok_or_else(what)
    }

    fn fixed(&self, name: &str, entry: &Value<'_>, fields: &Table<'_>) -> Result<FixedToken, TokenFileError> {
        let at = entry.span.start;
        self.only(fields, &["sha256", "secret", "groups"])?;
        let sha256 = match (self.text(fields, "sha256")?, self.text(fields, "secret")?) {
            (Some(hash), None) => {
                sha256_from_hex(hash).ok_or_else(|| self.fault(at, "sha256 must be 64 hexadecimal digits"))?
            }
            (None, Some(secret)) => Sha256::digest(secret.as_bytes()).into(),
            _ => return Err(self.fault(at, "a token needs either sha256 or secret")),
        };
        let groups = self.groups(fields)?;
        let principal = Principal::new(name, groups)
            .ok_or_else(|| self.fault(at, "names of tokens and groups are letters, digits and . _ - @ : / |"))?;
        Ok(FixedToken { sha256, principal: Arc::new(principal) })
    }

    fn groups(&self, fields: &Table<'_>) -> Result<Vec<String>, TokenFileError> {
        let Some(value) = fields.get("groups") else {
            return Ok(Vec::new());
        };
        let fault = || self.fault(value.span.start, "groups must be a list of texts");
        let list = value.as_array().ok_or_else(fault)?;
        list.iter().map(|group| group.as_str().map(str::to_owned).ok_or_else(fault)).collect()
    }

    fn issuer(&self, entry: &Value<'_>, fields: &Table<'_>) -> Result<Issuer, TokenFileError> {
        let at = entry.span.start;
        self.only(fields, &["algorithm", "secret", "public_key", "issuer", "audience"])?;
        let secret = self.text(fields, "secret")?;
        let public_key = self.text(fields, "public_key")?;
        let pem = public_key.map(str::as_bytes);
        let unreadable = |_| self.fault(at, "public_key is not a PEM public key for this algorithm");
        let (algorithm, key) = match (self.text(fields, "algorithm")?, secret, pem) {
            (Some("HS256"), Some(secret), None) if secret.len() >= SECRET_BYTES_MIN => {
                (Algorithm::HS256, DecodingKey::from_secret(secret.as_bytes()))
            }
            (Some("HS256"), Some(_), None) => {
                return Err(self.fault(at, "secret must have at least 16 bytes"));
            }
            (Some("RS256"), None, Some(pem)) => (Algorithm::RS256, DecodingKey::from_rsa_pem(pem).map_err(unreadable)?),
            (Some("ES256"), None, Some(pem)) => (Algorithm::ES256, DecodingKey::from_ec_pem(pem).map_err(unreadable)?),
            (Some("EdDSA"), None, Some(pem)) => (Algorithm::EdDSA, DecodingKey::from_ed_pem(pem).map_err(unreadable)?),
            _ => {
                let what = "expected algorithm = HS256 with secret, or RS256, ES256, EdDSA with public_key";
                return Err(self.fault(at, what));
            }
        };
        let (issuer, audience) = (self.text(fields, "issuer")?, self.text(fields, "audience")?);
        Ok(Issuer::new(algorithm, key, issuer, audience))
    }
}

fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let bytes: Vec<u8> = digits?
        .chunks(2)
        .filter_map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect();
    if text.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_file_is_refused_at_its_line_without_its_secrets() {
        for (text, line, word) in [
            ("[token.a]\nsecret='geheim'\nsha256='00'", 1, "either"),
            ("[token.a]\nsha256='00'", 1, "64"),
            ("\n[token.a]\nsecret='geheim'\ngroup=['x']", 4, "unknown field \"group\""),
            ("[token.\"a b\"]\nsecret='geheim'", 1, "letters"),
            ("[token.a]\nsecret='geheim'\ngroups='x'", 3, "list"),
            ("[tokens.a]\nsecret='geheim'", 1, "[token.NAME]"),
            ("[jwt.a]\nalgorithm='HS256'\nsecret='geheim'", 1, "16 bytes"),
            ("[jwt.a]\nalgorithm='none'\nsecret='geheim'", 1, "HS256"),
            ("[jwt.a]\nalgorithm='RS256'\npublic_key='geheim'", 1, "PEM"),
            ("[token.a\n", 1, ""),
        ] {
            let error = parse(text).err().expect(text);
            assert_eq!(error.line, line, "{text}: {error}");
            let said = error.to_string();
            assert!(said.contains(word) && !said.contains("geheim"), "{said}");
        }
    }
}
