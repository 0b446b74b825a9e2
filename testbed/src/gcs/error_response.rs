//! Google's error responses: one list for both APIs, which write them as XML or JSON.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::fault::Effect;

/// The reason for which a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorResponse {
    pub(crate) status: StatusCode,
    /// The XML API's name of the error.
    pub(crate) code: &'static str,
    /// The JSON API's.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// A separate element in XML; the message itself in JSON.
    pub(crate) details: Option<String>,
}

impl ErrorResponse {
    fn new(status: StatusCode, code: &'static str, reason: &'static str, message: &str) -> Self {
        Self {
            status,
            code,
            reason,
            message: message.to_owned(),
            details: None,
        }
    }

    fn with(mut self, details: String) -> Self {
        self.details = Some(details);
        self
    }

    pub(crate) fn no_such_key(bucket: &str, key: &str) -> Self {
        let message = "The specified key does not exist.";
        Self::new(StatusCode::NOT_FOUND, "NoSuchKey", "notFound", message)
            .with(format!("No such object: {bucket}/{key}"))
    }

    pub(crate) fn no_such_bucket() -> Self {
        let message = "The specified bucket does not exist.";
        Self::new(StatusCode::NOT_FOUND, "NoSuchBucket", "notFound", message)
    }

    pub(crate) fn precondition_failed() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.";
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "conditionNotMet",
            message,
        )
    }

    pub(crate) fn not_modified() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, "NotModified", "notModified", "")
    }

    /// `given` and `computed` in base64, `what` is the name of the checksum.
    pub(crate) fn bad_digest(what: &str, given: &str, computed: &str) -> Self {
        let details = format!(
            "The {what} hash specified ({given}) does not match the calculated value ({computed})."
        );
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadDigest",
            "invalid",
            "The MD5 or CRC32C that you specified did not match what we received.",
        )
        .with(details)
    }

    pub(crate) fn metadata_too_large(bytes: usize, limit: usize) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MetadataTooLarge",
            "metadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size.",
        )
        .with(format!("{bytes} bytes of metadata, {limit} are allowed"))
    }

    pub(crate) fn invalid_argument(details: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            "invalid",
            "Invalid argument.",
        )
        .with(details.to_owned())
    }

    pub(crate) fn invalid_range(size: u64) -> Self {
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "requestedRangeNotSatisfiable",
            "The requested range cannot be satisfied.",
        )
        .with(format!("the object has {size} bytes"))
    }

    /// Without a token, or with an unknown or expired one.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "AuthenticationRequired",
            "authError",
            "Authentication required.",
        )
        .with("Invalid Credentials".to_owned())
    }

    /// `resource` is Google's word: `object` or `bucket`.
    pub(crate) fn access_denied(permission: &str, resource: &str) -> Self {
        let details = format!(
            "crispy@testbed.iam.gserviceaccount.com does not have {permission} access to the Google \
             Cloud Storage {resource}. Permission '{permission}' denied on resource (or it may not \
             exist)."
        );
        Self::new(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "forbidden",
            "Access denied.",
        )
        .with(details)
    }

    pub(crate) fn billing_closed() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "UserProjectAccountProblem",
            "accountDisabled",
            "The project to be billed is associated with a closed billing account.",
        )
        .with("The billing account for the owning project is disabled in state closed".to_owned())
    }

    pub(crate) fn rate_limited() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "SlowDown",
            "rateLimitExceeded",
            "The object exceeded the rate limit for object mutation operations (create, update, and \
             delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.",
        )
    }

    /// A request that the simulator does not know.
    pub(crate) fn not_implemented(details: String) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "notImplemented",
            "The simulator does not know this request.",
        )
        .with(details)
    }

    /// The error of a fault that answers instead of carrying the request out.
    pub(crate) fn from_effect(effect: Effect) -> Option<Self> {
        match effect {
            Effect::Status(status) | Effect::StatusRetryAfter(status, _) => {
                Some(Self::from_status(status))
            }
            Effect::BillingClosed => Some(Self::billing_closed()),
            _ => None,
        }
    }

    /// Google's usual error with this status.
    pub(crate) fn from_status(status: u16) -> Self {
        let (code, reason, message) = match status {
            401 => return Self::unauthenticated(),
            403 => return Self::access_denied("storage.objects.create", "object"),
            404 => return Self::no_such_bucket(),
            408 => (
                "RequestTimeout",
                "requestTimeout",
                "Your request timed out.",
            ),
            412 => return Self::precondition_failed(),
            429 => return Self::rate_limited(),
            500 => (
                "InternalError",
                "backendError",
                "We encountered an internal error. Please try again.",
            ),
            503 => (
                "ServiceUnavailable",
                "backendError",
                "Please reduce your request rate or try again later.",
            ),
            _ => ("Scripted", "scripted", "A fault injected by a test."),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, code, reason, message)
    }
}

/// Carries the error to the layer that knows which API the client speaks.
impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
