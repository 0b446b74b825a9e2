//! Redaction of secrets in text for errors and logs. Pure.

/// The longest text of a server in an error, in characters.
pub(crate) const MAX_WORDS: usize = 300;

/// A URL without user, password, query and fragment, each of which may be a secret. By text alone:
/// malformed URLs have secrets too.
pub(crate) fn url(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + "://".len()),
        None => ("", text),
    };
    let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    // With a slash first there is no host, so no password before it, and '@' is part of a path.
    if place.starts_with('/') {
        return format!("{scheme}{place}");
    }
    // A password with a question mark, or a query with an '@': it is ambiguous, so neither is
    // shown.
    if query.contains('@') {
        return format!("{scheme}***");
    }
    format!(
        "{scheme}{}",
        place.rfind('@').map_or(place, |at| &place[at + 1..])
    )
}

/// A server's text as one line of at most [`MAX_WORDS`], without words that look like a token, a
/// signature or the query of a signed URL.
pub(crate) fn words(text: &str) -> String {
    let mut hidden = false;
    let words = text.split_whitespace().map(|word| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_servers_text_are_hidden() {
        let text = "Bearer ya29.hush is bad; bearer hush2 https://h/x?sig=hush eyJhbGciOi.hush \
                    Signature=hush\r\nnext";
        let shown = words(text);
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.ends_with("next"), "{shown}");
        assert_eq!(words(&"x".repeat(1000)).len(), MAX_WORDS);
    }
}
