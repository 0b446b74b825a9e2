//! Hints to operators for error responses: the missing right, and the role that has it. Pure.

use super::error_response::ErrorResponse;
use crate::location::Provider;

/// An operation on a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Put,
    Get,
    List,
}

impl Operation {
    pub(super) const fn verb(self) -> &'static str {
        match self {
            Self::Put => "write to",
            Self::Get => "read from",
            Self::List => "list at",
        }
    }
}

/// The remedy for an error response, as an imperative sentence, where one is known.
pub(super) fn hint(
    provider: Provider,
    operation: Operation,
    response: &ErrorResponse,
) -> Option<String> {
    Some(match (response.status, response.code.as_str()) {
        (401, _)
        | (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired")
        | (403, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed") => {
            credentials(provider).to_owned()
        }
        (403, "RequestTimeTooSkewed") => {
            "set this host's clock: signatures are valid for 15 minutes".into()
        }
        (
            403,
            "AccountProblem" | "AccountDisabled" | "UserProjectAccountProblem" | "accountDisabled",
        ) => "reopen the account that pays for this bucket, or enable its billing".into(),
        (403, _) => format!("grant {}", right(provider, operation)),
        (404, _) => format!("make the {}, or correct its name", bucket(provider)),
        (300..400, _)
        | (400, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            if !response.region.is_empty() =>
        {
            format!(
                "give --bucket-option region={0}: the bucket is in region {0}",
                response.region
            )
        }
        (300..400 | 405 | 501, _) => {
            "check endpoint and region: this endpoint has another protocol than the bucket's URL, \
             or is another region's"
                .into()
        }
        (400, "UserProjectMissing" | "UserProjectInvalid") => {
            "turn off requester pays on this bucket: it is not supported".into()
        }
        (507, _) => "free some space: the store has no room left".into(),
        (413, _) | (400, "EntityTooLarge") => "cut shorter chunks (--window)".into(),
        _ => return None,
    })
}

fn bucket(provider: Provider) -> &'static str {
    match provider {
        Provider::Azure => "container",
        Provider::Google | Provider::Amazon => "bucket",
    }
}

/// The places of credentials.
pub(super) fn credentials(provider: Provider) -> &'static str {
    match provider {
        Provider::Google => {
            "check the credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud auth application-default login, or the machine's service account"
        }
        Provider::Amazon => {
            "check the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role"
        }
        Provider::Azure => {
            "check the credentials: AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the machine's identity"
        }
    }
}

/// Permission and role. Without the right to list, stores answer a request for an absent object
/// with 403, so reading needs it too.
fn right(provider: Provider, operation: Operation) -> &'static str {
    match (provider, operation) {
        (Provider::Google, Operation::Put) => {
            "storage.objects.create on the bucket (roles/storage.objectCreator has it)"
        }
        (Provider::Google, Operation::Get | Operation::List) => {
            "storage.objects.get and storage.objects.list on the bucket (roles/storage.objectViewer has both; without the second an absent object looks forbidden)"
        }
        (Provider::Amazon, Operation::Put) => "s3:PutObject on the bucket's objects",
        (Provider::Amazon, Operation::Get | Operation::List) => {
            "s3:GetObject on the bucket's objects and s3:ListBucket on the bucket (without the second an absent object looks forbidden)"
        }
        (Provider::Azure, Operation::Put) => {
            "the role Storage Blob Data Contributor on the container"
        }
        (Provider::Azure, Operation::Get | Operation::List) => {
            "the role Storage Blob Data Reader on the container"
        }
    }
}
