//! Who may do what: tokens that expire, and the permissions that they carry.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use hyper::{HeaderMap, header::AUTHORIZATION};
use serde_json::json;

use super::{answer::Answer, refusal::Refusal};

/// What Google's roles are made of, as far as the simulator knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// `storage.objects.create`
    Create,
    /// `storage.objects.get`
    Get,
    /// `storage.objects.list`: without it a missing object is answered as a forbidden one.
    List,
    /// `storage.objects.delete`: needed to overwrite, too.
    Delete,
    /// `storage.buckets.get`
    GetBucket,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Create,
        Self::Get,
        Self::List,
        Self::Delete,
        Self::GetBucket,
    ];

    /// Google's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "storage.objects.create",
            Self::Get => "storage.objects.get",
            Self::List => "storage.objects.list",
            Self::Delete => "storage.objects.delete",
            Self::GetBucket => "storage.buckets.get",
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::Create | Self::Get | Self::Delete => "object",
            Self::List | Self::GetBucket => "bucket",
        }
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permissions(BTreeSet<Permission>);

impl Permissions {
    pub(crate) fn of(permissions: &[Permission]) -> Self {
        Self(permissions.iter().copied().collect())
    }

    pub(crate) fn has(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    pub(crate) fn need(&self, permission: Permission) -> Result<(), Refusal> {
        if self.has(permission) {
            return Ok(());
        }
        Err(Refusal::access_denied(
            permission.name(),
            permission.resource(),
        ))
    }
}

#[derive(Debug)]
struct Token {
    until: Instant,
    /// None is what the server allows everybody.
    permissions: Option<Permissions>,
}

/// All tokens that were issued.
#[derive(Debug)]
pub(crate) struct Tokens {
    required: bool,
    lifetime: Duration,
    /// What everybody may do whose token says nothing else.
    pub(crate) everybody: Permissions,
    issued: HashMap<String, Token>,
}

impl Tokens {
    pub(crate) fn new(required: bool, lifetime: Duration) -> Self {
        Self {
            required,
            lifetime,
            everybody: Permissions::of(&Permission::ALL),
            issued: HashMap::new(),
        }
    }

    pub(crate) fn issue(&mut self, permissions: Option<Permissions>) -> String {
        let name = format!("ya29.simulated-{}", self.issued.len() + 1);
        let until = Instant::now() + self.lifetime;
        self.issued
            .insert(name.clone(), Token { until, permissions });
        name
    }

    /// Makes every token that was issued so far an expired one.
    pub(crate) fn expire(&mut self) {
        let now = Instant::now();
        self.issued.values_mut().for_each(|token| token.until = now);
    }

    /// What the sender of a request may do.
    pub(crate) fn permissions(&self, headers: &HeaderMap) -> Result<Permissions, Refusal> {
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.and_then(|name| self.issued.get(name));
        match token.filter(|token| Instant::now() < token.until) {
            Some(token) => Ok(token
                .permissions
                .as_ref()
                .unwrap_or(&self.everybody)
                .clone()),
            None if self.required => Err(Refusal::unauthenticated()),
            None => Ok(self.everybody.clone()),
        }
    }

    /// What Google's `/token` and the metadata server answer.
    pub(crate) fn answer(&mut self) -> Answer {
        let seconds = self.lifetime.as_secs();
        let token = self.issue(None);
        Answer::json(&json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"}))
            .with("metadata-flavor", "Google")
    }
}
