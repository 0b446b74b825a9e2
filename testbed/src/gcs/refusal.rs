//! What Google says when it does not do something: one list, for both of its languages (`xml`, `json`).

use hyper::StatusCode;

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The XML API's word for it.
    pub(crate) code: &'static str,
    /// The JSON API's.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// The XML API alone gives these; the JSON API's message is then these.
    pub(crate) details: Option<String>,
}

impl Refusal {
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

    /// `given` and `computed` in base64, of the sum that is called `what`.
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

    /// No token, or one that is unknown or expired.
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
            "crispy@testbed.iam.gserviceaccount.com does not have {permission} access to the Google Cloud Storage {resource}. \
             Permission '{permission}' denied on resource (or it may not exist)."
        );
        Self::new(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "forbidden",
            "Access denied.",
        )
        .with(details)
    }

    pub(crate) fn billing() -> Self {
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
            "The object exceeded the rate limit for object mutation operations (create, update, and delete). \
             Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.",
        )
    }

    /// What the simulator does not know.
    pub(crate) fn not_implemented(details: String) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "notImplemented",
            "The simulator does not know this request.",
        )
        .with(details)
    }

    /// The usual answer of this status.
    pub(crate) fn of(status: StatusCode) -> Self {
        let (code, reason, message) = match status.as_u16() {
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
            _ => ("Scripted", "scripted", "A fault that was asked for."),
        };
        Self::new(status, code, reason, message)
    }
}
