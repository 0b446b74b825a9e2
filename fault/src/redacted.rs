//! Addresses without their secrets.

use std::{fmt, iter};

/// Words in the keys of secret query values. HTTP cameras take their password there.
const SECRET_KEYS: [&str; 8] = [
    "pass", "pwd", "secret", "token", "key", "sig", "auth", "cred",
];

/// Shows an address, or a comma-separated list of them, without user, password and secret query
/// values.
///
/// ```
/// use crispy_fault::Redacted;
///
/// let shown = Redacted("rtsp://admin:12345@cam.example/main?channel=1").to_string();
/// assert_eq!(shown, "rtsp://cam.example/main?channel=1");
/// let shown = Redacted("http://cam.example/video?user=a&password=b").to_string();
/// assert_eq!(shown, "http://cam.example/video?user=a&password=***");
/// ```
///
/// * Text that may be user or password is hidden: of a malformed address too much is hidden rather
///   than too little.
/// * An address without secrets is shown as it is.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(
    /// The address.
    pub &'a str,
);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in addresses(self.0).enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write_address(f, address)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The addresses of a list: a comma separates two of them only before a scheme, for passwords have
/// commas too.
fn addresses(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    iter::from_fn(move || {
        let text = rest?;
        let comma = text
            .match_indices(',')
            .map(|(at, _)| at)
            .find(|at| begins_with_scheme(&text[at + 1..]));
        let (address, after) =
            comma.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
        rest = after;
        Some(address)
    })
}

fn begins_with_scheme(text: &str) -> bool {
    let letters = text
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
        .count();
    letters > 0 && text[letters..].starts_with("://")
}

fn write_address(f: &mut fmt::Formatter<'_>, address: &str) -> fmt::Result {
    let (scheme, rest) = address
        .find("://")
        .map_or(("", address), |at| address.split_at(at + 3));
    f.write_str(scheme)?;
    let (before_query, query) = rest
        .split_once('?')
        .map_or((rest, None), |(before, query)| (before, Some(query)));
    // A password with a question mark, or a query with an @? Both are possible, so neither is
    // shown.
    if query.is_some_and(|query| query.contains('@')) && may_be_user(before_query) {
        return f.write_str("***");
    }
    f.write_str(without_user(before_query))?;
    let Some(query) = query else { return Ok(()) };
    for (index, pair) in query.split('&').enumerate() {
        f.write_str(if index == 0 { "?" } else { "&" })?;
        write_pair(f, pair)?;
    }
    Ok(())
}

/// Whether the text before a `?` may begin with user and password. Text before a slash without
/// either `:` or `@` is a host.
fn may_be_user(text: &str) -> bool {
    text.contains([':', '@']) || !text.contains('/')
}

/// The text after the user: the host and its path.
fn without_user(text: &str) -> &str {
    let authority = text.split('/').next().unwrap_or(text);
    // A slash in the password ends the authority too early: `u:p/w@host`. So everything up to the
    // last @ may be secret.
    let may_hold_user = authority.contains([':', '@']);
    text.rfind('@')
        .filter(|_| may_hold_user)
        .map_or(text, |at| &text[at + 1..])
}

fn write_pair(f: &mut fmt::Formatter<'_>, pair: &str) -> fmt::Result {
    let (key, value) = pair
        .split_once('=')
        .map_or((pair, None), |(key, value)| (key, Some(value)));
    let lower = key.to_ascii_lowercase();
    let secret = SECRET_KEYS.iter().any(|word| lower.contains(word)) || lower == "pw";
    match value {
        Some(_) if secret => write!(f, "{key}=***"),
        _ => f.write_str(pair),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_and_password_are_hidden() {
        for (address, shown) in [
            ("nats://user:pw@h", "nats://h"),
            ("nats://token@h:4222", "nats://h:4222"),
            ("rtsp://u:p@s@h/a", "rtsp://h/a"),
            ("rtsp://u:p/w@h/a", "rtsp://h/a"),
            ("rtsp://u:p?w@h/a", "rtsp://***"),
            ("nats://to?ken@h", "nats://***"),
            ("http://h:80/v?u=a&pass=p@ss", "http://***"),
            ("rtsp://u:S3/CR@ET@127.0.0.1:1/", "rtsp://127.0.0.1:1/"),
            ("nats://a:b@h1,nats://c:d,e@h2", "nats://h1,nats://h2"),
            ("u:p@h:4222", "h:4222"),
            (
                "https://h/?X-Goog-Signature=abc&alt=media",
                "https://h/?X-Goog-Signature=***&alt=media",
            ),
        ] {
            assert_eq!(Redacted(address).to_string(), shown, "{address}");
        }
    }

    #[test]
    fn an_address_without_secrets_is_shown_as_it_is() {
        for address in [
            "",
            "clip.mp4",
            "/a/b@2x.mp4",
            "file:///a/b",
            "nats://h1:4222,nats://h2:4222",
            "https://h/a@2x.png?channel=1",
            "rtsp://[::1]/a",
        ] {
            assert_eq!(Redacted(address).to_string(), address);
        }
    }

    proptest! {
        #[test]
        fn no_password_is_shown(password in "[ -~]{0,24}") {
            // A fixed word marks the secret: no part of scheme, user or host contains it.
            let address = format!("rtsp://user:{password}SECRET@camera/main");
            let shown = Redacted(&address).to_string();
            prop_assert!(!shown.contains("SECRET"), "{}", shown);
            prop_assert!(shown.ends_with("camera/main") || password.contains('?'), "{}", shown);
        }
    }
}
