//! What Jaeger's query API said, sorted by what it means. Pure.
//!
//! A server that does not know a path answers 404, or 200 with its page: what it said decides, and not the number alone.

use reqwest::StatusCode;
use serde_json::Value;

/// An answer, sorted by what it means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<T> {
    Found(T),
    Nothing,
    /// This server does not have this API.
    Unknown,
    /// It has, and will not say: why.
    Refused(String),
}

/// How the good answers of an API are read.
#[derive(Debug)]
pub(super) struct Form<T> {
    /// The field that all of them have.
    pub(super) field: &'static str,
    /// Reads one; an error says where it is wrong.
    pub(super) read: fn(&[u8]) -> Result<T, String>,
}

impl<T> Form<T> {
    /// Sorts an answer of this form, or of another one.
    pub(super) fn sort(&self, status: StatusCode, body: &[u8]) -> Answer<T> {
        let Ok(said) = serde_json::from_slice::<Value>(body) else {
            return match status.is_client_error() && status != StatusCode::NOT_FOUND
                || status.is_server_error()
            {
                true => Answer::Refused(format!("it answers {status}")),
                false => Answer::Unknown,
            };
        };
        if status.is_success() {
            return match said.get(self.field) {
                None => Answer::Unknown,
                Some(_) => (self.read)(body).map_or_else(unreadable, Answer::Found),
            };
        }
        if status == StatusCode::NOT_FOUND {
            return Answer::Nothing;
        }
        let why = said["error"]["message"].as_str();
        let why = why.or_else(|| said["errors"][0]["msg"].as_str());
        Answer::Refused(format!(
            "it answers {status}: {}",
            why.unwrap_or("and does not say why")
        ))
    }
}

fn unreadable<T>(error: String) -> Answer<T> {
    Answer::Refused(format!("its answer cannot be read: {error}"))
}

/// The names in a list of services: `{"services":["a"]}` of the present API, `{"data":["a"]}` of the older one, which has null for none.
pub(super) fn services(json: &[u8]) -> Result<Vec<String>, String> {
    #[derive(serde::Deserialize)]
    struct Listed {
        #[serde(alias = "data")]
        services: Option<Vec<String>>,
    }
    let listed: Listed = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    Ok(listed.services.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{otlp, span::Span};

    const PRESENT: Form<Vec<Span>> = Form {
        field: "result",
        read: otlp::spans,
    };

    fn sorted(status: u16, body: &str) -> Answer<Vec<Span>> {
        PRESENT.sort(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    /// What a real Jaeger said, and older ones say.
    #[test]
    fn answers_are_sorted_by_what_they_say_and_not_by_their_number_alone() {
        let page = "<!doctype html>";
        let nothing = r#"{"error":{"httpCode":404,"message":"No traces found"}}"#;
        let wrong = r#"{"error":{"httpCode":400,"message":"malformed parameter"}}"#;
        for (status, body, expected) in [
            (404, "404 page not found\n", Answer::Unknown),
            (200, page, Answer::Unknown),
            (200, r#"{"data":[]}"#, Answer::Unknown),
            (404, nothing, Answer::Nothing),
            (200, r#"{"result":{}}"#, Answer::Found(Vec::new())),
            (
                400,
                wrong,
                Answer::Refused("it answers 400 Bad Request: malformed parameter".into()),
            ),
            (
                502,
                page,
                Answer::Refused("it answers 502 Bad Gateway".into()),
            ),
            (
                401,
                "",
                Answer::Refused("it answers 401 Unauthorized".into()),
            ),
        ] {
            assert_eq!(sorted(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_answer_with_one_malformed_span_is_said_to_be_unreadable_and_where() {
        let recorded = include_str!("fixtures/v3.json");
        for (right, wrong, place) in [
            ("\"startTimeUnixNano\"", "\"started\"", "line "),
            ("\"17956", "\"x17956", "startTimeUnixNano of span "),
            ("4bf92f3577b3", "xbf92f3577b3", "traceId of span "),
        ] {
            let Answer::Refused(why) = sorted(200, &recorded.replacen(right, wrong, 1)) else {
                panic!("{wrong} is understood")
            };
            assert!(why.starts_with("its answer cannot be read: "), "{why}");
            assert!(why.contains(place), "{why}");
        }
    }

    #[test]
    fn either_list_of_services_is_read() {
        for (json, expected) in [
            (r#"{"services":["a","b"]}"#, ["a", "b"].as_slice()),
            (r#"{"services":[]}"#, &[]),
            (r#"{"data":["a","b"],"total":2}"#, &["a", "b"]),
            (r#"{"data":null,"total":0}"#, &[]),
        ] {
            assert_eq!(services(json.as_bytes()).unwrap(), expected, "{json}");
        }
        assert!(services(br#"{"services":[1]}"#).is_err());
    }
}
