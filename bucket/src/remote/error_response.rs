//! Error responses of stores, read from XML, JSON or headers. Pure.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use object_store::HeaderMap;
use serde::Deserialize;

use crate::redact;

/// The longest wait that a store's `Retry-After` is believed for. A maintenance page may name an
/// hour: a client that waits so long resumes up to an hour late, while a probe every two seconds
/// costs it nothing.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// An error response, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorResponse {
    pub(super) status: u16,
    pub(super) host: String,
    /// The store's error code, such as `AccessDenied`; empty where it gives none, as to a HEAD.
    pub(super) code: String,
    /// Its message for people.
    pub(super) message: String,
    /// The bucket's region, if it is another one.
    pub(super) region: String,
    pub(super) retry_after: Option<Duration>,
}

/// S3, Azure and Google's XML interface.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Xml {
    code: String,
    message: String,
    /// Google's, with the missing permission.
    details: String,
}

impl ErrorResponse {
    pub(super) fn parse(
        status: u16,
        host: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let text = String::from_utf8_lossy(body);
        let (code, message) = in_xml(&text).or_else(|| in_json(&text)).unwrap_or_default();
        let code = match header("x-ms-error-code") {
            Some(known) if code.is_empty() => known.to_owned(),
            _ => code,
        };
        Self {
            status,
            host: host.to_owned(),
            code: code.chars().take(80).collect(),
            message: redact::words(&message),
            region: header("x-amz-bucket-region").unwrap_or_default().to_owned(),
            retry_after: header("retry-after").and_then(|text| retry_after(text, now)),
        }
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.host, self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, " ({})", self.message)?;
        }
        Ok(())
    }
}

fn in_xml(text: &str) -> Option<(String, String)> {
    // Azure begins with a byte order mark.
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let xml: Xml = quick_xml::de::from_str(text.starts_with('<').then_some(text)?).ok()?;
    let message = if xml.details.is_empty() {
        xml.message
    } else {
        format!("{} {}", xml.message, xml.details)
    };
    Some((xml.code, message))
}

/// Google's JSON interface, and servers of tokens.
fn in_json(text: &str) -> Option<(String, String)> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let error = &json["error"];
    let first = |candidates: &[&serde_json::Value]| {
        let text = candidates.iter().find_map(|value| value.as_str());
        text.unwrap_or_default().to_owned()
    };
    let code = first(&[&error["errors"][0]["reason"], &error["status"], error]);
    Some((
        code,
        first(&[&error["message"], &json["error_description"]]),
    ))
}

/// Seconds, or a date: <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // A past date means now.
        Err(_) => {
            let until = httpdate::parse_http_date(text).ok()?;
            until.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> ErrorResponse {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        ErrorResponse::parse(status, "host", &headers.collect(), body.as_bytes(), now)
    }

    #[test]
    fn error_responses_of_every_store_are_read() {
        for (body, code, message) in [
            (
                "<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access denied.</Message><Details>x does not have storage.objects.create access.</Details></Error>",
                "AccessDenied",
                "Access denied. x does not have storage.objects.create access.",
            ),
            (
                "<Error><Code>NoSuchBucket</Code><Message>no &lt;b&gt;</Message><BucketName>b</BucketName><RequestId>1</RequestId></Error>",
                "NoSuchBucket",
                "no <b>",
            ),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Error><Code>ContainerNotFound</Code><Message>The specified container does not exist.\nRequestId:1</Message></Error>",
                "ContainerNotFound",
                "The specified container does not exist. RequestId:1",
            ),
            (
                r#"{"error":{"code":403,"message":"no","errors":[{"reason":"forbidden"}]}}"#,
                "forbidden",
                "no",
            ),
            (
                r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#,
                "PERMISSION_DENIED",
                "no",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"Token has been revoked."}"#,
                "invalid_grant",
                "Token has been revoked.",
            ),
            ("<html>502 Bad Gateway</html>", "", ""),
            ("", "", ""),
        ] {
            let response = read(400, &[], body);
            assert_eq!(
                (response.code.as_str(), response.message.as_str()),
                (code, message)
            );
        }
        assert_eq!(
            read(404, &[("x-ms-error-code", "BlobNotFound")], "").code,
            "BlobNotFound"
        );
        let shown = read(
            403,
            &[],
            "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
        );
        assert_eq!(shown.to_string(), "host answered 403 AccessDenied (no)");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_capped() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("3600", Some(60)),
            ("18446744073709551616", None),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Fri, 06 Nov 2093 08:49:37 GMT", Some(60)),
            ("soon", None),
            ("-1", None),
        ] {
            let response = read(503, &[("retry-after", text)], "");
            assert_eq!(
                response.retry_after.map(|wait| wait.as_secs()),
                seconds,
                "{text}"
            );
        }
    }
}
