//! The identity that a connection presents.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use super::options::ConnectOptions;

/// The identity in the options, else in the first URL with a user, which async-nats ignores.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Anonymous,
    User(String, String),
    Token(String),
}

impl Identity {
    pub(super) fn new(options: &ConnectOptions, addresses: &[ServerAddr]) -> Self {
        if let Some(token) = &options.token {
            return Self::Token(token.clone());
        }
        if let Some(user) = &options.user {
            return Self::User(user.clone(), options.password.clone().unwrap_or_default());
        }
        let carries = |address: &ServerAddr| {
            let user = plain(address.username()?);
            Some((user, address.password().map(plain)))
        };
        match addresses.iter().find_map(carries) {
            None => Self::Anonymous,
            Some((user, Some(password))) => Self::User(user, password),
            Some((user, None)) => Self::Token(user),
        }
    }
}

/// URLs escape special characters: `p@ss` is `p%40ss`.
fn plain(encoded: &str) -> String {
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::options::addresses;

    #[test]
    fn an_option_overrides_the_first_url_with_a_user() {
        let identity = |servers: &str, user: Option<&str>| {
            let options = ConnectOptions {
                servers: servers.into(),
                user: user.map(str::to_owned),
                ..Default::default()
            };
            Identity::new(&options, &addresses(servers).unwrap())
        };
        let user = |name: &str, word: &str| Identity::User(name.into(), word.into());
        assert_eq!(identity("nats://a,nats://b", None), Identity::Anonymous);
        assert_eq!(
            identity("nats://ann:pw@a,nats://b", None),
            user("ann", "pw")
        );
        assert_eq!(
            identity("nats://a,nats://ann:pw@b", None),
            user("ann", "pw")
        );
        assert_eq!(
            identity("nats://tok@a", None),
            Identity::Token("tok".into())
        );
        assert_eq!(identity("nats://ann:pw@a", Some("bob")), user("bob", ""));
    }

    #[test]
    fn passwords_in_urls_are_unescaped() {
        let addresses = addresses("nats://ann:p%40s^s%2F@a").unwrap();
        let identity = Identity::new(&ConnectOptions::default(), &addresses);
        assert_eq!(identity, Identity::User("ann".into(), "p@s^s/".into()));
    }
}
