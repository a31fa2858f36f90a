//! Basic auth, and the headers that every answer carries.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use super::config::WebConfig;

/// Middleware: lets only known users pass, and adds the configured headers to every answer.
pub(super) async fn guard(State(config): State<Arc<WebConfig>>, request: Request, next: Next) -> Response {
    let loaded = config.current();
    let mut response = if loaded.users.admit(request.headers()).await {
        next.run(request).await
    } else {
        let challenge = [(WWW_AUTHENTICATE, "Basic")];
        (StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response()
    };
    for (name, value) in &loaded.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Who may ask: names with the bcrypt hashes of their passwords. Without any, everyone may.
#[derive(Default)]
pub(super) struct Users {
    hashes: BTreeMap<String, Arc<str>>,
    /// bcrypt is slow on purpose, and scrapers come back every few seconds with the same password.
    accepted: Mutex<HashSet<[u8; 32]>>,
    /// Of this process alone, so that what is remembered of a password is worth nothing elsewhere.
    key: Option<hmac::Key>,
}

/// More users than that are known at once only where somebody tries to fill the memory.
const ACCEPTED_AT_MOST: usize = 100;

/// Checks at a time: guessing passwords must not take all processors away from who knows theirs.
static CHECKS: Semaphore = Semaphore::const_new(2);

impl Users {
    pub(super) fn new(hashes: BTreeMap<String, Arc<str>>) -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok();
        Self { hashes, accepted: Mutex::default(), key }
    }

    async fn admit(&self, headers: &HeaderMap) -> bool {
        if self.hashes.is_empty() {
            return true;
        }
        let Some((user, password)) = basic_credentials(headers) else { return false };
        let hash = self.hashes.get(&user).cloned();
        let known = hash.is_some();
        // Against some hash also for an unknown user, whose refusal must not come faster than a known one's.
        let Some(hash) = hash.or_else(|| self.hashes.values().next().cloned()) else { return false };

        let tag = self.tag(&[user.as_bytes(), hash.as_bytes(), password.as_bytes()]);
        if known && tag.is_some_and(|tag| self.accepted().contains(&tag)) {
            return true;
        }
        let Ok(_turn) = CHECKS.acquire().await else { return false };
        let check = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
        let admitted = check.await.unwrap_or(false) && known;
        if let Some(tag) = tag.filter(|_| admitted) {
            let mut accepted = self.accepted();
            if accepted.len() >= ACCEPTED_AT_MOST {
                accepted.clear();
            }
            accepted.insert(tag);
        }
        admitted
    }

    fn accepted(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands for the parts, whose limits are part of it; none where the system has no randomness to give.
    fn tag(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hashes.keys()).finish()
    }
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn basic(user: &str, password: &str) -> HeaderMap {
        headers(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }

    /// The lowest cost that bcrypt knows: these tests are not about its slowness.
    fn users(names: &[(&str, &str)]) -> Users {
        let hash = |password| Arc::from(bcrypt::hash(password, 4).unwrap());
        Users::new(names.iter().map(|(name, password)| ((*name).to_owned(), hash(password))).collect())
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_admitted() {
        let users = users(&[("ada", "lovelace"), ("alan", "tu:ring")]);
        for (user, password) in [("ada", "lovelace"), ("alan", "tu:ring"), ("ada", "lovelace")] {
            assert!(users.admit(&basic(user, password)).await, "{user}");
        }
        assert_eq!(users.accepted().len(), 2);
        for (user, password) in
            [("ada", "tu:ring"), ("ada", ""), ("eve", "lovelace"), ("", "lovelace"), ("ada:lovelace", "")]
        {
            assert!(!users.admit(&basic(user, password)).await, "{user}:{password}");
        }
        assert_eq!(users.accepted().len(), 2, "refusals are not remembered as acceptance");
        for value in ["Basic", "Basic ***", "Bearer YWRhOmxvdmVsYWNl", "Basic YWRh"] {
            assert!(!users.admit(&headers(value)).await, "{value}");
        }
        assert!(users.admit(&headers("basic YWRhOmxvdmVsYWNl")).await);
        assert!(!users.admit(&HeaderMap::new()).await);
    }

    #[tokio::test]
    async fn without_users_everyone_is_admitted() {
        assert!(users(&[]).admit(&HeaderMap::new()).await);
        assert!(Users::default().admit(&basic("eve", "guess")).await);
    }

    #[test]
    fn what_is_remembered_depends_on_where_the_parts_end() {
        let users = users(&[]);
        assert_ne!(users.tag(&[b"ab", b"c"]), users.tag(&[b"a", b"bc"]));
        assert_ne!(users.tag(&[b"a"]), Users::new(BTreeMap::new()).tag(&[b"a"]), "a key of its own");
    }
}
