//! What a person can do about a refusal: which right is missing, and which role has it. Pure.

use super::{super::location::Kind, answer::Refusal};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Put,
    Get,
    List,
}

impl Deed {
    pub(super) const fn asking(self) -> &'static str {
        match self {
            Self::Put => "writing to",
            Self::Get => "reading from",
            Self::List => "listing at",
        }
    }
}

/// To be added to a refusal; empty where nothing is known that helps.
pub(super) fn advice(kind: Kind, deed: Deed, refusal: &Refusal) -> String {
    let advice = match (refusal.status, refusal.code.as_str()) {
        (401, _) | (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => credentials(kind).to_owned(),
        (403, "RequestTimeTooSkewed") => "set this host's clock: signatures are good for 15 minutes".into(),
        (403, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed") => credentials(kind).to_owned(),
        (403, "AccountProblem" | "AccountDisabled" | "UserProjectAccountProblem" | "accountDisabled") => {
            "the account that pays for this bucket is closed, or has no billing: mend that first".into()
        }
        (403, _) => format!("grant {}", right(kind, deed)),
        (404, _) => format!("make the {}, or correct its name", bucket(kind)),
        (300..400, _) | (400, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") if !refusal.region.is_empty() => {
            format!("the bucket is in region {0}: give --bucket-option region={0}", refusal.region)
        }
        (300..400 | 405 | 501, _) => "this endpoint does not speak what the bucket's URL says, or is another region's: check endpoint and region".into(),
        (400, "UserProjectMissing" | "UserProjectInvalid") => "this bucket lets its readers pay, which is not supported".into(),
        (507, _) => "it has no room left: make some".into(),
        (413, _) | (400, "EntityTooLarge") => "cut shorter chunks (--window)".into(),
        _ => String::new(),
    };
    if advice.is_empty() {
        advice
    } else {
        format!("; {advice}")
    }
}

fn bucket(kind: Kind) -> &'static str {
    match kind {
        Kind::Azure => "container",
        Kind::Google | Kind::Amazon => "bucket",
    }
}

/// Where they are looked for.
pub(super) fn credentials(kind: Kind) -> &'static str {
    match kind {
        Kind::Google => {
            "check the credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud auth application-default login, or the machine's service account"
        }
        Kind::Amazon => {
            "check the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role"
        }
        Kind::Azure => {
            "check the credentials: AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the machine's identity"
        }
    }
}

/// Permission and role. Without the right to list, stores call an object that is not there forbidden, so reading needs it too.
fn right(kind: Kind, deed: Deed) -> &'static str {
    match (kind, deed) {
        (Kind::Google, Deed::Put) => {
            "storage.objects.create on the bucket (roles/storage.objectCreator has it)"
        }
        (Kind::Google, Deed::Get | Deed::List) => {
            "storage.objects.get and storage.objects.list on the bucket (roles/storage.objectViewer has both; without the second an object that is not there looks forbidden)"
        }
        (Kind::Amazon, Deed::Put) => "s3:PutObject on the bucket's objects",
        (Kind::Amazon, Deed::Get | Deed::List) => {
            "s3:GetObject on the bucket's objects and s3:ListBucket on the bucket (without the second an object that is not there looks forbidden)"
        }
        (Kind::Azure, Deed::Put) => "the role Storage Blob Data Contributor on the container",
        (Kind::Azure, Deed::Get | Deed::List) => {
            "the role Storage Blob Data Reader on the container"
        }
    }
}
