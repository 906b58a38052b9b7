//! Signed tokens (JWT): one issuer, one algorithm, one key.
//!
//! The algorithm comes from the token file, never from the token, so a public key is never taken
//! for a shared secret.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::identity::{Principal, TokenFault};

/// Seconds by which clocks may differ.
const LEEWAY_SECONDS: u64 = 10;

/// Whoever signs tokens, as the token file describes it.
pub(crate) struct Issuer {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    groups: Vec<String>,
}

impl Issuer {
    pub(crate) fn new(algorithm: Algorithm, key: DecodingKey, issuer: Option<&str>, audience: Option<&str>) -> Self {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Self { key, validation }
    }

    /// Whom the token speaks for. `Unknown` when this issuer has not signed it.
    pub(crate) fn verify(&self, token: &str) -> Result<Principal, TokenFault> {
        // A head that cannot be read is no word of this issuer; its claims come later.
        decode_header(token).map_err(|_| TokenFault::Unknown)?;
        let data = decode::<Claims>(token, &self.key, &self.validation);
        let claims = data.map_err(|error| fault_of(error.kind()))?.claims;
        Principal::new(&claims.sub, claims.groups).ok_or(TokenFault::BadClaims)
    }
}

fn fault_of(kind: &ErrorKind) -> TokenFault {
    match kind {
        ErrorKind::ExpiredSignature => TokenFault::Expired,
        ErrorKind::ImmatureSignature => TokenFault::Early,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenFault::Elsewhere,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidSubject | ErrorKind::Json(_) => TokenFault::BadClaims,
        _ => TokenFault::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use http::HeaderMap;
    use http::header::{AUTHORIZATION, HeaderValue};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;
    use crate::proxy::identity::TokenBook;

    const RSA: [&str; 2] = [include_str!("tests/rsa.key.pem"), include_str!("tests/rsa.pub.pem")];
    const EC: [&str; 2] = [include_str!("tests/ec.key.pem"), include_str!("tests/ec.pub.pem")];
    const ED: [&str; 2] = [include_str!("tests/ed.key.pem"), include_str!("tests/ed.pub.pem")];

    fn in_seconds(offset: i64) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_secs()).expect("a sane clock") + offset
    }

    fn sign(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
        encode(&Header::new(algorithm), claims, key).expect("a key for this algorithm")
    }

    fn identify(book: &TokenBook, token: &str) -> Result<String, TokenFault> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value");
        headers.insert(AUTHORIZATION, value);
        book.identify(&headers).map(|principal| format!("{} of {}", principal.name(), principal.groups().join("+")))
    }

    fn ann() -> Value {
        json!({"sub": "ann", "groups": ["staff"], "exp": in_seconds(600), "iss": "office", "aud": "orrery"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = ann();
        claims[name] = value;
        claims
    }

    #[test]
    fn a_shared_secret_signs_and_every_claim_counts() {
        let book = TokenBook::parse(
            "[jwt.office]\nalgorithm='HS256'\nsecret='a long enough secret'\nissuer='office'\naudience='orrery'",
        );
        let book = book.expect("a sound file");
        let key = EncodingKey::from_secret(b"a long enough secret");
        let hs256 = |claims: &Value| identify(&book, &sign(Algorithm::HS256, &key, claims));
        assert_eq!(hs256(&ann()).as_deref(), Ok("user:ann of staff"));
        assert_eq!(hs256(&with("exp", json!(in_seconds(-60)))), Err(TokenFault::Expired));
        assert_eq!(hs256(&with("nbf", json!(in_seconds(60)))), Err(TokenFault::Early));
        assert_eq!(hs256(&with("iss", json!("home"))), Err(TokenFault::Elsewhere));
        assert_eq!(hs256(&with("aud", json!("else"))), Err(TokenFault::Elsewhere));
        assert_eq!(hs256(&with("sub", json!("ann,bob"))), Err(TokenFault::BadClaims));
        for claim in ["exp", "sub", "iss", "aud"] {
            let mut claims = ann();
            claims.as_object_mut().expect("an object").remove(claim);
            assert_eq!(hs256(&claims), Err(TokenFault::BadClaims), "without {claim}");
        }
        let other = EncodingKey::from_secret(b"another secret, not ours");
        assert_eq!(identify(&book, &sign(Algorithm::HS256, &other, &ann())), Err(TokenFault::Unknown));
        assert_eq!(identify(&book, "a.b.c"), Err(TokenFault::Unknown));
    }

    #[test]
    fn public_keys_verify_what_their_owner_signed_and_nothing_else() {
        let text = format!(
            "[jwt.a]\nalgorithm='RS256'\npublic_key='''{}'''\n[jwt.b]\nalgorithm='ES256'\npublic_key='''{}'''\n[jwt.c]\nalgorithm='EdDSA'\npublic_key='''{}'''",
            RSA[1], EC[1], ED[1]
        );
        let book = TokenBook::parse(&text).expect("a sound file");
        let rsa = EncodingKey::from_rsa_pem(RSA[0].as_bytes()).expect("a key");
        let ec = EncodingKey::from_ec_pem(EC[0].as_bytes()).expect("a key");
        let ed = EncodingKey::from_ed_pem(ED[0].as_bytes()).expect("a key");
        for (algorithm, key) in [(Algorithm::RS256, &rsa), (Algorithm::ES256, &ec), (Algorithm::EdDSA, &ed)] {
            let token = sign(algorithm, key, &ann());
            assert_eq!(identify(&book, &token).as_deref(), Ok("user:ann of staff"), "{algorithm:?}");
            let (signed, signature) = token.rsplit_once('.').expect("three parts");
            let (head, _) = signed.split_once('.').expect("three parts");
            let forged = format!("{head}.eyJzdWIiOiJyb290IiwiZXhwIjo5OTk5OTk5OTk5fQ.{signature}");
            assert_eq!(identify(&book, &forged), Err(TokenFault::Unknown), "{algorithm:?}");
        }
        // The classic confusion: the public key used as if it were a shared secret.
        let confused = EncodingKey::from_secret(RSA[1].as_bytes());
        let token = sign(Algorithm::HS256, &confused, &ann());
        assert_eq!(identify(&book, &token), Err(TokenFault::Unknown));
        // And no signature at all: {"alg":"none"}.
        let body = token.split('.').nth(1).expect("three parts");
        let unsigned = format!("eyJhbGciOiJub25lIn0.{body}.");
        assert_eq!(identify(&book, &unsigned), Err(TokenFault::Unknown));
    }
}
