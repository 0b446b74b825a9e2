//! What a store said when it refused: read from its answer, in whatever language it speaks. Pure.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use object_store::HeaderMap;
use serde::Deserialize;

use super::super::error::MAX_RETRY_AFTER;

/// The longest that a server's own words may be in an error of ours, in characters.
const MAX_WORDS: usize = 300;

/// A refusal, without anything that may be a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) host: String,
    /// The store's own name of what is wrong, such as `AccessDenied`; empty where it gives none, as to a HEAD.
    pub(super) code: String,
    /// Its words for people.
    pub(super) words: String,
    /// Where the bucket is, if not here.
    pub(super) region: String,
    pub(super) retry_after: Option<Duration>,
}

/// S3, Azure and Google's XML interface.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Xml {
    code: String,
    message: String,
    /// Google's: the permission that is missing stands here.
    details: String,
}

impl Refusal {
    pub(super) fn read(
        status: u16,
        host: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let text = String::from_utf8_lossy(body);
        let (code, words) = in_xml(&text).or_else(|| in_json(&text)).unwrap_or_default();
        let code = match header("x-ms-error-code") {
            Some(known) if code.is_empty() => known.to_owned(),
            _ => code,
        };
        Self {
            status,
            host: host.to_owned(),
            code: code.chars().take(80).collect(),
            words: without_secrets(&words),
            region: header("x-amz-bucket-region").unwrap_or_default().to_owned(),
            retry_after: header("retry-after").and_then(|text| retry_after(text, now)),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.host, self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.words.is_empty() {
            write!(f, " ({})", self.words)?;
        }
        Ok(())
    }
}

fn in_xml(text: &str) -> Option<(String, String)> {
    // Azure begins with a byte order mark.
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let xml: Xml = quick_xml::de::from_str(text.starts_with('<').then_some(text)?).ok()?;
    let words = if xml.details.is_empty() {
        xml.message
    } else {
        format!("{} {}", xml.message, xml.details)
    };
    Some((xml.code, words))
}

/// Google's JSON interface, and whoever gives tokens.
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

/// One line of it, not too long, and no word that looks like a token, a signature or the query of a signed URL.
pub(super) fn without_secrets(words: &str) -> String {
    let mut hidden = false;
    let words = words.split_whitespace().map(|word| {
        let lower = word.to_ascii_lowercase();
        let secret = hidden
            || ["sig=", "signature=", "token=", "ya29.", "eyj"]
                .iter()
                .any(|mark| lower.contains(mark));
        hidden = lower.ends_with("bearer");
        if secret { "***" } else { word }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars()
        .filter(|c| !c.is_control())
        .take(MAX_WORDS)
        .collect()
}

/// Seconds, or a date: <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // A date that is past says: now.
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

    fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> Refusal {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        Refusal::read(status, "host", &headers.collect(), body.as_bytes(), now)
    }

    #[test]
    fn every_store_s_way_of_saying_no_is_understood() {
        for (body, code, words) in [
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
            let refusal = read(400, &[], body);
            assert_eq!(
                (refusal.code.as_str(), refusal.words.as_str()),
                (code, words)
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
    fn retry_after_is_understood_in_seconds_and_as_a_date_and_is_capped() {
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
            let refusal = read(503, &[("retry-after", text)], "");
            assert_eq!(
                refusal.retry_after.map(|wait| wait.as_secs()),
                seconds,
                "{text}"
            );
        }
    }

    #[test]
    fn a_server_s_words_are_not_trusted_with_secrets() {
        let words = "Bearer ya29.hush is bad; Bearer: hush2 https://h/x?sig=hush eyJhbGciOi.hush Signature=hush\r\nnext";
        let shown = without_secrets(&words.replace("Bearer: ", "bearer "));
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.ends_with("next"), "{shown}");
        assert_eq!(without_secrets(&"x".repeat(1000)).len(), MAX_WORDS);
    }
}
