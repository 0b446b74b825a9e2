//! Tokens that expire, and the permissions that they carry.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header::AUTHORIZATION};

use super::error_response::ErrorResponse;

/// The permissions of Google's roles that the simulator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// `storage.objects.create`
    Create,
    /// `storage.objects.get`
    Get,
    /// `storage.objects.list`: without it, a missing object looks like a forbidden one.
    List,
    /// `storage.objects.delete`: needed for overwriting too.
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

/// The permissions of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permissions(BTreeSet<Permission>);

impl Permissions {
    pub(crate) fn new(permissions: &[Permission]) -> Self {
        Self(permissions.iter().copied().collect())
    }

    pub(crate) fn has(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    pub(crate) fn need(&self, permission: Permission) -> Result<(), ErrorResponse> {
        if self.has(permission) {
            return Ok(());
        }
        Err(ErrorResponse::access_denied(
            permission.name(),
            permission.resource(),
        ))
    }
}

#[derive(Debug)]
struct Token {
    until: Instant,
    /// None for the server's default permissions.
    permissions: Option<Permissions>,
}

/// The tokens issued so far.
#[derive(Debug)]
pub(crate) struct Tokens {
    required: bool,
    pub(crate) lifetime: Duration,
    /// The permissions of tokens without their own, and of requests without a token.
    pub(crate) default_permissions: Permissions,
    issued: HashMap<String, Token>,
}

impl Tokens {
    pub(crate) fn new(required: bool, lifetime: Duration) -> Self {
        Self {
            required,
            lifetime,
            default_permissions: Permissions::new(&Permission::ALL),
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

    /// Expires every token issued so far.
    pub(crate) fn expire(&mut self) {
        let now = Instant::now();
        self.issued.values_mut().for_each(|token| token.until = now);
    }

    /// The permissions of the client that sends these headers.
    pub(crate) fn permissions(&self, headers: &HeaderMap) -> Result<Permissions, ErrorResponse> {
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.and_then(|name| self.issued.get(name));
        match token.filter(|token| Instant::now() < token.until) {
            Some(token) => Ok(token
                .permissions
                .as_ref()
                .unwrap_or(&self.default_permissions)
                .clone()),
            None if self.required => Err(ErrorResponse::unauthenticated()),
            None => Ok(self.default_permissions.clone()),
        }
    }
}
