//! Redaction of secrets in text for errors and logs. Pure.

use crispy_fault::Redacted;

/// The longest text of a server in an error, in characters.
pub(crate) const MAX_WORDS: usize = 300;

/// A bucket's URL without user, password, query and fragment, each of which may be a secret. By
/// text alone: malformed URLs have secrets too.
pub(crate) fn url(text: &str) -> String {
    let (place, query) = text.split_at(text.find(['?', '#']).unwrap_or(text.len()));
    // A password with a question mark, or a query with an '@': it is ambiguous, so neither is
    // shown.
    if query.contains('@') {
        let scheme = text.find("://").map_or("", |at| &text[..at + "://".len()]);
        return format!("{scheme}***");
    }
    Redacted(place).to_string()
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
