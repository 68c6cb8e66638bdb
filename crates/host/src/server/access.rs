//! Who may connect to a server, and what each client may do there.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bowline_core::secret;
use bowline_core::transfer::{Digest, SafeName};
use bowline_store::{DiskStore, LinkOrder, Principal, Quota};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::seats::Counted;

/// A client's credential. Only its digest is kept, and nothing of it is shown.
#[derive(Clone, Copy)]
pub struct Secret(Digest);

/// What a client may do at a server. The default is everything, for no particular principal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// Its identity: unfinished files are bound to this principal, and quotas count for it.
    pub principal: Principal,
    /// Whether it may send files to the server.
    pub may_send: bool,
    /// Whether it may fetch files from the server.
    pub may_fetch: bool,
    /// Whether it may list everything that it may fetch. Otherwise it must know the name of a file or folder.
    pub may_list: bool,
    /// The folder of the store that all its names are relative to; nothing outside can be named. `None`: the store
    /// itself.
    pub folder: Option<SafeName>,
    /// How many bytes of unfinished files are kept for it. `None`: what the store allows everybody.
    pub quota: Option<u64>,
    /// At most this many bytes a second in each direction, shared in turns by all its connections. What the server sets
    /// for everybody applies as well, on each connection.
    pub limit_rate: Option<u64>,
    /// When it ends, by the clock of the machine, even if that is set meanwhile; existing connections also end then.
    /// `None`: never.
    pub until: Option<SystemTime>,
}

/// Who may connect to a server, and what each may do there. By default anybody may do everything.
///
/// ```
/// use bowline_core::transfer::SafeName;
/// use bowline_host::server::{Access, Grant, Secret, ServerConfig};
/// use bowline_store::Principal;
///
/// let mut camera = Grant::to(Principal::named("camera")?);
/// (camera.may_fetch, camera.folder) = (false, Some(SafeName::parse("camera")?));
/// let mut config = ServerConfig::default();
/// config.access = Access::nobody().with_token(Secret::of("a secret of random bytes"), camera);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Access {
    anybody: Option<Grant>,
    tokens: Vec<(Secret, Grant)>,
}

/// What a connected client may do, by which secret, and when it connected.
#[derive(Clone, Debug)]
pub struct Pass {
    secret: Option<Secret>,
    pub(super) grant: Grant,
    pub(super) link: LinkOrder,
    /// Its place among the connections of the server, if it uses one: taken until the last clone of this is dropped.
    pub(super) place: Option<Arc<Counted>>,
}

impl Secret {
    /// This text, which a client sends as `Authorization: Bearer`.
    pub fn of(text: &str) -> Self {
        Self(Digest::of(text.as_bytes()))
    }

    /// The text with this BLAKE3 digest. A digest keeps a secret if nobody can guess it: one of random bytes, not a
    /// word.
    pub fn with_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// Takes the same time wherever the two differ.
    fn is(&self, other: &Self) -> bool {
        secret::same(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Grant {
    /// Everything, for this principal.
    pub fn to(principal: Principal) -> Self {
        Self { principal, ..Self::default() }
    }

    /// The view of a store under this grant.
    pub(super) fn view(&self, whole: &DiskStore) -> DiskStore {
        let mut store = whole.for_principal(self.principal.clone());
        if let Some(folder) = &self.folder {
            store = store.in_folder(folder.clone());
        }
        if let Some(bytes) = self.quota {
            let mut quota: Quota = *store.quota();
            quota.bytes = Some(bytes);
            store = store.with_quota(quota);
        }
        store
    }

    fn has_ended(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Default for Grant {
    fn default() -> Self {
        Self {
            principal: Principal::default(),
            may_send: true,
            may_fetch: true,
            may_list: true,
            folder: None,
            quota: None,
            limit_rate: None,
            until: None,
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::anybody(Grant::default())
    }
}

impl Access {
    /// Nobody may connect until there are [tokens](Self::with_token).
    pub fn nobody() -> Self {
        Self { anybody: None, tokens: Vec::new() }
    }

    /// Clients without a token get this grant. A client with an unknown token is refused if there are
    /// [tokens](Self::with_token), and gets this grant as well if there are none.
    pub fn anybody(grant: Grant) -> Self {
        Self { anybody: Some(grant), tokens: Vec::new() }
    }

    /// A client with this secret may do everything.
    pub fn by_token(text: &str) -> Self {
        Self::nobody().with_token(Secret::of(text), Grant::default())
    }

    /// A client with this secret gets this grant; of two with the same secret, the first counts.
    #[must_use]
    pub fn with_token(mut self, secret: Secret, grant: Grant) -> Self {
        self.tokens.push((secret, grant));
        self
    }

    /// What a client with these headers may do; `None` if it may not connect.
    pub(super) fn pass(&self, headers: &HeaderMap, now: SystemTime) -> Option<Pass> {
        let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let pass = match shown {
            // An invalid or empty token belongs to nobody.
            Some(shown) if !self.tokens.is_empty() => {
                let token = bearer(shown).filter(|token| !token.is_empty())?;
                self.named(&Secret(Digest::of(token)))
            }
            _ => self.anybody.clone().map(|grant| Pass::new(None, grant)),
        };
        pass.filter(|pass| !pass.grant.has_ended(now))
    }

    /// Why an earlier pass is no longer valid, if it is not.
    pub(super) fn objection(&self, pass: &Pass) -> Option<&'static str> {
        let present = match &pass.secret {
            Some(secret) => self.named(secret).map(|pass| pass.grant),
            None => self.anybody.clone(),
        };
        match present {
            Some(grant) if grant == pass.grant => None,
            Some(_) => Some("what this token allows has changed"),
            None => Some("the token was withdrawn"),
        }
    }

    /// Whether any principal other than this one may connect.
    pub(super) fn has_others(&self, than: &Principal) -> bool {
        let mut grants = self.tokens.iter().map(|(_, grant)| grant).chain(&self.anybody);
        grants.any(|grant| grant.principal != *than)
    }

    /// Compares all of them, so that the time reveals nothing.
    fn named(&self, shown: &Secret) -> Option<Pass> {
        self.tokens.iter().fold(None, |found, (secret, grant)| {
            let is_this = secret.is(shown);
            found.or_else(|| is_this.then(|| Pass::new(Some(*secret), grant.clone())))
        })
    }
}

impl Pass {
    fn new(secret: Option<Secret>, grant: Grant) -> Self {
        Self { secret, grant, link: LinkOrder::next(), place: None }
    }

    /// The client's identity.
    pub fn principal(&self) -> &Principal {
        &self.grant.principal
    }
}

/// The token in a header value.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

impl fmt::Debug for Secret {
    /// Shows nothing of it, not even its digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn headers(value: Option<&str>) -> HeaderMap {
        let values = value.map(|value| (AUTHORIZATION, value.parse().unwrap()));
        values.into_iter().collect()
    }

    fn name(access: &Access, value: Option<&str>) -> Option<String> {
        let pass = access.pass(&headers(value), UNIX_EPOCH)?;
        Some(pass.grant.principal.name().to_owned())
    }

    fn alice() -> Grant {
        Grant::to(Principal::named("alice").unwrap())
    }

    #[test]
    fn only_the_exact_token_gives_access() {
        let access = Access::nobody().with_token(Secret::of("secret"), alice());
        for shown in ["Bearer secret", "bearer secret"] {
            assert_eq!(name(&access, Some(shown)).as_deref(), Some("alice"), "{shown}");
        }
        for shown in ["Bearer secre", "Bearer secrett", "Basic secret", "secret", "Bearer", ""] {
            assert_eq!(name(&access, Some(shown)), None, "{shown:?}");
        }
        let unset = Access::nobody().with_token(Secret::of(""), alice());
        for shown in ["Basic secret", "Bearer ", "Bearer", ""] {
            assert_eq!(name(&unset, Some(shown)), None, "{shown:?}");
        }
        assert_eq!(name(&access, None), None);
        let hashed = Access::nobody().with_token(Secret::with_digest(Digest::of(b"secret")), alice());
        assert_eq!(name(&hashed, Some("Bearer secret")).as_deref(), Some("alice"));
    }

    #[test]
    fn a_client_without_a_token_is_anybody_and_an_unknown_token_is_nobody() {
        let anybody = Grant { may_send: false, ..Grant::to(Principal::named("visitor").unwrap()) };
        let access = Access::anybody(anybody).with_token(Secret::of("one"), alice());
        assert_eq!(name(&access, None).as_deref(), Some("visitor"));
        assert_eq!(name(&access, Some("Bearer one")).as_deref(), Some("alice"));
        assert_eq!(name(&access, Some("Bearer two")), None);
        // Without tokens, none is required.
        assert_eq!(name(&Access::default(), Some("Bearer two")).as_deref(), Some(""));
    }

    #[test]
    fn a_grant_ends_at_its_time() {
        let noon = UNIX_EPOCH + Duration::from_secs(12 * 3600);
        let grant = Grant { until: Some(noon), ..alice() };
        let access = Access::nobody().with_token(Secret::of("one"), grant);
        let shown = headers(Some("Bearer one"));
        assert!(access.pass(&shown, noon - Duration::from_secs(1)).is_some());
        assert!(access.pass(&shown, noon).is_none());
    }

    #[test]
    fn a_pass_is_valid_as_long_as_its_secret_grants_the_same() {
        let access = |secret, grant| Access::nobody().with_token(Secret::of(secret), grant);
        let pass = access("one", alice()).pass(&headers(Some("Bearer one")), UNIX_EPOCH).unwrap();
        assert_eq!(access("one", alice()).objection(&pass), None);
        let less = Grant { may_fetch: false, ..alice() };
        assert_eq!(access("one", less).objection(&pass), Some("what this token allows has changed"));
        assert_eq!(access("two", alice()).objection(&pass), Some("the token was withdrawn"));
        assert_eq!(Access::default().objection(&pass), Some("the token was withdrawn"));
        let visitor = Access::default().pass(&headers(None), UNIX_EPOCH).unwrap();
        assert_eq!(Access::default().objection(&visitor), None);
        assert!(access("one", alice()).objection(&visitor).is_some());
    }

    #[test]
    fn debug_shows_no_part_of_a_secret() {
        let access = Access::by_token("s3cret");
        let digest = Digest::of(b"s3cret").to_string();
        let shown = format!("{access:?}");
        assert!(!shown.contains("s3cret") && !shown.contains(&digest[..8]), "{shown}");
    }
}
