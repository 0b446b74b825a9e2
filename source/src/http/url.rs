//! URLs: without their secrets for messages, and with them for references. Pure.

use url::Url;

/// A URL for messages: without user and password, and without the query, which may be a signature.
pub(crate) fn redacted(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // Refused for URLs that cannot have any.
    let _ = (bare.set_username(""), bare.set_password(None));
    bare.into()
}

/// A URL with the user and password of another, if both are of one server.
pub(crate) fn with_credentials(url: &Url, from: &Url) -> Url {
    let mut with = url.clone();
    if url.origin() == from.origin() && url.username().is_empty() {
        // Refused for URLs that cannot have any.
        let _ = (
            with.set_username(from.username()),
            with.set_password(from.password()),
        );
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_only_to_the_server_that_they_are_for() {
        let list = Url::parse("https://u:p@host/list.m3u8").unwrap();
        for (url, expected) in [
            ("https://host/a.ts", "https://u:p@host/a.ts"),
            ("https://other/a.ts", "https://other/a.ts"),
            ("http://host/a.ts", "http://host/a.ts"),
            ("https://v:q@host/a.ts", "https://v:q@host/a.ts"),
        ] {
            let with = with_credentials(&Url::parse(url).unwrap(), &list);
            assert_eq!(with.as_str(), expected);
        }
    }
}
