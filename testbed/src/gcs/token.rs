//! Tokens that expire, and the permissions that they carry.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{error_response::ErrorResponse, json, server::Shared};

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
    lifetime: Duration,
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

/// Google's `/token`, where a service account's key is exchanged for a token.
pub(crate) async fn token(State(shared): State<Arc<Shared>>) -> Response {
    let mut tokens = shared.tokens();
    let token = json!({
        "access_token": tokens.issue(None),
        "expires_in": tokens.lifetime.as_secs(),
        "token_type": "Bearer",
    });
    ([("metadata-flavor", "Google")], json::ok(&token)).into_response()
}

/// The metadata server of a virtual machine.
pub(crate) async fn metadata(
    state: State<Arc<Shared>>,
    Path(path): Path<String>,
) -> Result<Response, ErrorResponse> {
    match path.rsplit('/').next() {
        Some("token") => Ok(token(state).await),
        Some("email") => Ok("crispy@testbed.iam.gserviceaccount.com".into_response()),
        _ => Err(ErrorResponse::not_implemented(format!("metadata {path}"))),
    }
}
