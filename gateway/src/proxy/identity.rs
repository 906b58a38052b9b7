//! Who a request speaks for: bearer tokens, fixed ones and signed ones (JWT).
//!
//! ```toml
//! [token.ann]
//! sha256 = "…"                 # of the token, in hexadecimal; or: secret = "the token itself"
//! groups = ["staff"]
//!
//! [jwt.office]
//! algorithm  = "ES256"         # HS256 with `secret`; RS256, ES256, EdDSA with `public_key`
//! public_key = """-----BEGIN PUBLIC KEY-----…"""
//! issuer     = "https://login.example"   # checked when given
//! audience   = "orrery"                  # checked when given
//! ```

use std::sync::{Arc, PoisonError, RwLock};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::signed::Issuer;
use super::token_file;
pub use super::token_file::TokenFileError;

/// The principal, for endpoints.
pub(crate) const PRINCIPAL: HeaderName = HeaderName::from_static("x-orrery-principal");
/// Its groups, for endpoints.
pub(crate) const GROUPS: HeaderName = HeaderName::from_static("x-orrery-groups");

/// A name of a principal or group is no longer than this.
const NAME_BYTES_MAX: usize = 128;
/// Groups one principal may have.
const GROUPS_MAX: usize = 64;
/// A token longer than this is not looked at.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Why a request is not identified.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenFault {
    /// No `Authorization` header.
    #[error("none was sent")]
    Missing,
    /// The header is not `Bearer TOKEN`, or there are several.
    #[error("the authorization header is not one bearer token")]
    Malformed,
    /// No fixed token and no key fits.
    #[error("it is not known here")]
    Unknown,
    /// It was signed, and its time is over.
    #[error("it has expired")]
    Expired,
    /// It was signed, and its time has not begun.
    #[error("it is not valid yet")]
    Early,
    /// It was signed by or for someone else.
    #[error("its issuer or audience is not the one expected here")]
    Elsewhere,
    /// It was signed, but lacks a claim or holds one that is no name.
    #[error("a claim is missing or malformed")]
    BadClaims,
}

impl TokenFault {
    /// The stable reason code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "token-missing",
            Self::Malformed => "token-malformed",
            Self::Unknown => "token-unknown",
            Self::Expired => "token-expired",
            Self::Early => "token-not-yet-valid",
            Self::Elsewhere => "token-for-another",
            Self::BadClaims => "token-bad-claims",
        }
    }

    pub(crate) fn challenge(self) -> &'static str {
        match self {
            Self::Missing => "Bearer realm=\"orrery\"",
            _ => "Bearer realm=\"orrery\", error=\"invalid_token\"",
        }
    }
}

/// Someone a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: String,
    groups: Vec<String>,
    name_value: HeaderValue,
    groups_value: HeaderValue,
}

impl Principal {
    /// `user` without the `user:` before it. `None` when a name holds anything but letters, digits
    /// and `. _ - @ : / |`: it must pass through headers and policies unchanged.
    pub(crate) fn new(user: &str, groups: Vec<String>) -> Option<Self> {
        if !is_name(user) || groups.len() > GROUPS_MAX || !groups.iter().all(|g| is_name(g)) {
            return None;
        }
        let name = format!("user:{user}");
        let name_value = HeaderValue::from_str(&name).ok()?;
        let groups_value = HeaderValue::from_str(&groups.join(",")).ok()?;
        Some(Self { name, groups, name_value, groups_value })
    }

    /// `user:ann`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `staff`, without `group:` before it.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Whether one of `permit` (`user:ann`, `group:staff`) is this principal or one of its groups.
    pub fn is_permitted(&self, permit: &[String]) -> bool {
        permit.iter().any(|entry| match entry.strip_prefix("group:") {
            Some(group) => self.groups.iter().any(|own| own == group),
            None => *entry == self.name,
        })
    }

    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        headers.insert(PRINCIPAL, self.name_value.clone());
        headers.insert(GROUPS, self.groups_value.clone());
    }
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:/|".contains(&byte);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(fits)
}

/// A fixed token: its hash, and whom it speaks for.
pub(crate) struct FixedToken {
    pub sha256: [u8; 32],
    pub principal: Arc<Principal>,
}

/// All tokens that are valid here.
#[derive(Default)]
pub struct TokenBook {
    pub(crate) fixed: Vec<FixedToken>,
    pub(crate) issuers: Vec<Issuer>,
}

impl TokenBook {
    /// Reads the tokens from the text of a TOML file.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        token_file::parse(text)
    }

    /// Whom the request speaks for.
    pub fn identify(&self, headers: &HeaderMap) -> Result<Arc<Principal>, TokenFault> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(TokenFault::Missing)?;
        if values.next().is_some() {
            return Err(TokenFault::Malformed);
        }
        let text = value.to_str().map_err(|_| TokenFault::Malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or(TokenFault::Malformed)?;
        let token = token.trim();
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        if !is_bearer || token.is_empty() || token.len() > TOKEN_BYTES_MAX || token.contains(' ') {
            return Err(TokenFault::Malformed);
        }
        if let Some(principal) = self.fixed(token) {
            return Ok(principal);
        }
        self.signed(token)
    }

    /// Compares with every token, in a time that does not depend on which one it is.
    fn fixed(&self, token: &str) -> Option<Arc<Principal>> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = None;
        for known in &self.fixed {
            if is_same(&known.sha256, &hash) {
                found = Some(&known.principal);
            }
        }
        found.cloned()
    }

    /// The verdict of the issuer that came closest to accepting it.
    fn signed(&self, token: &str) -> Result<Arc<Principal>, TokenFault> {
        let mut fault = TokenFault::Unknown;
        for issuer in &self.issuers {
            match issuer.verify(token) {
                Ok(principal) => return Ok(Arc::new(principal)),
                Err(TokenFault::Unknown) => {}
                Err(closer) => fault = closer,
            }
        }
        Err(fault)
    }
}

fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// The book in force; clones are the same book, so tokens can be changed while serving.
#[derive(Clone, Default)]
pub struct Tokens(Arc<RwLock<Arc<TokenBook>>>);

impl Tokens {
    /// Puts `book` in force.
    pub fn replace(&self, book: TokenBook) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
    }

    pub(crate) fn current(&self) -> Arc<TokenBook> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<TokenBook> for Tokens {
    fn from(book: TokenBook) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(book))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value");
        headers.insert(AUTHORIZATION, value);
        headers
    }

    fn book() -> TokenBook {
        let text = r#"
            [token.ann]
            secret = "ann's secret"
            groups = ["staff", "night"]
            [token.bob]
            sha256 = "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9"
        "#;
        TokenBook::parse(&text.replace("ann's secret", "ann-secret")).expect("a sound file")
    }

    #[test]
    fn a_fixed_token_speaks_for_its_principal() {
        let ann = book().identify(&bearer("ann-secret")).expect("ann");
        assert_eq!((ann.name(), ann.groups().len()), ("user:ann", 2));
        let bob = book().identify(&bearer("bob")).expect("bob, by the hash of his token");
        assert!(bob.is_permitted(&["group:staff".to_owned(), "user:bob".to_owned()]));
        assert!(!bob.is_permitted(&["group:staff".to_owned()]));
        assert!(ann.is_permitted(&["group:night".to_owned()]));
    }

    #[test]
    fn anything_else_says_what_is_wrong() {
        let book = book();
        assert_eq!(book.identify(&HeaderMap::new()), Err(TokenFault::Missing));
        assert_eq!(book.identify(&bearer("nobody")), Err(TokenFault::Unknown));
        assert_eq!(book.identify(&bearer("a b")), Err(TokenFault::Malformed));
        let mut twice = bearer("ann-secret");
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer bob"));
        assert_eq!(book.identify(&twice), Err(TokenFault::Malformed));
        let mut basic = HeaderMap::new();
        basic.insert(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        assert_eq!(book.identify(&basic), Err(TokenFault::Malformed));
    }

    #[test]
    fn a_name_cannot_carry_a_second_one() {
        assert!(Principal::new("ann,group:staff", Vec::new()).is_none());
        assert!(Principal::new("ann", vec!["staff,admin".to_owned()]).is_none());
        assert!(Principal::new("", Vec::new()).is_none());
    }
}
