//! As whom we connect.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use super::ConnectOptions;

/// Who we say we are: what the options name, else what the first URL with a user in it carries, which async-nats itself does not look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Nobody,
    User(String, String),
    Token(String),
}

impl Identity {
    pub(super) fn of(options: &ConnectOptions, addresses: &[ServerAddr]) -> Self {
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
            None => Self::Nobody,
            Some((user, Some(password))) => Self::User(user, password),
            Some((user, None)) => Self::Token(user),
        }
    }
}

/// A URL holds what it may not hold as it is in percent signs: `p@ss` is `p%40ss` there.
fn plain(encoded: &str) -> String {
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::options::addresses;

    #[test]
    fn the_first_url_with_a_user_says_who_we_are_unless_an_option_does() {
        let of = |servers: &str, user: Option<&str>| {
            let options = ConnectOptions {
                servers: servers.into(),
                user: user.map(str::to_owned),
                ..Default::default()
            };
            Identity::of(&options, &addresses(servers).unwrap())
        };
        let user = |name: &str, word: &str| Identity::User(name.into(), word.into());
        assert_eq!(of("nats://a,nats://b", None), Identity::Nobody);
        assert_eq!(of("nats://ann:pw@a,nats://b", None), user("ann", "pw"));
        assert_eq!(of("nats://a,nats://ann:pw@b", None), user("ann", "pw"));
        assert_eq!(of("nats://tok@a", None), Identity::Token("tok".into()));
        assert_eq!(of("nats://ann:pw@a", Some("bob")), user("bob", ""));
    }

    #[test]
    fn a_password_in_a_url_may_hold_what_urls_escape() {
        let addresses = addresses("nats://ann:p%40s^s%2F@a").unwrap();
        let identity = Identity::of(&ConnectOptions::default(), &addresses);
        assert_eq!(identity, Identity::User("ann".into(), "p@s^s/".into()));
    }
}
