use super::*;
use tempfile::TempDir;

/// A home with contexts in it.
struct Home(TempDir);

impl Home {
    fn with(contexts: &[(&str, &str)]) -> Self {
        let home = Self(TempDir::new().unwrap());
        let folder = home.0.path().join(".config/nats/context");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in contexts {
            fs::write(folder.join(format!("{name}.json")), text).unwrap();
        }
        home
    }

    fn environment(&self) -> Environment {
        Environment {
            variable: |name| match name {
                "TEAM" => Some("video".into()),
                "WORD" => Some("sEcrEt\n".into()),
                _ => None,
            },
            home: Some(self.0.path().to_owned()),
        }
    }

    fn load(&self, name: &str) -> Result<ConnectOptions, ContextError> {
        load(name, &self.environment())
    }
}

/// The refusal of a context with this text.
fn refusal_of(text: &str) -> String {
    let error = Home::with(&[("c", text)]).load("c").unwrap_err();
    let refusal = format!("{:#}", anyhow::Error::new(error));
    assert!(!refusal.contains("sEcrEt"), "{refusal}");
    refusal
}

#[test]
fn every_field_of_natscli_is_honoured() {
    // As `nats context add` writes it: every field, most of them empty.
    let home = Home::with(&[(
        "hub",
        r#"{
          "name": "hub", "description": "the hub", "url": "tls://a:4222,tls://b:4222", "socks_proxy": "", "token": "",
          "user": "ann", "password": "env://WORD", "creds": "", "nkey": "", "cert": "~/c.pem", "key": "file://~/c.key",
          "ca": "/etc/$TEAM/${TEAM}.pem", "nsc": "", "jetstream_domain": "edge", "jetstream_api_prefix": "",
          "jetstream_event_prefix": "x", "inbox_prefix": "_INBOX_ann", "user_jwt": "", "user_seed": "", "color_scheme": "red",
          "tls_first": true, "windows_cert_store": "", "windows_ca_certs_match": null
        }"#,
    )]);
    let hub = home.load("hub").unwrap();
    assert_eq!(hub.servers, "tls://a:4222,tls://b:4222");
    assert_eq!(
        (hub.user.as_deref(), hub.password.as_deref()),
        (Some("ann"), Some("sEcrEt"))
    );
    assert_eq!(hub.tls_cert.unwrap(), home.0.path().join("c.pem"));
    assert_eq!(hub.tls_key.unwrap(), home.0.path().join("c.key"));
    assert_eq!(hub.tls_ca.unwrap(), Path::new("/etc/video/video.pem"));
    assert_eq!(hub.domain.as_deref(), Some("edge"));
    assert_eq!(hub.inbox_prefix.as_deref(), Some("_INBOX_ann"));
    assert!(hub.tls_first);
    assert_eq!(
        (hub.token, hub.creds, hub.nkey, hub.jwt),
        (None, None, None, None)
    );
}

#[test]
fn every_other_identity_is_honoured() {
    let home = Home::with(&[
        ("token", r#"{"token": "t"}"#),
        ("creds", r#"{"creds": "~/a.creds"}"#),
        (
            "nkey",
            r#"{"nkey": "/a.nk", "jetstream_api_prefix": "JS.hub.API"}"#,
        ),
        ("jwt", r#"{"user_jwt": "j", "user_seed": "s"}"#),
        ("empty", "{}"),
    ]);
    assert_eq!(home.load("token").unwrap().token.as_deref(), Some("t"));
    assert_eq!(
        home.load("creds").unwrap().creds.unwrap(),
        home.0.path().join("a.creds")
    );
    let nkey = home.load("nkey").unwrap();
    assert_eq!(nkey.nkey.as_deref(), Some(Path::new("/a.nk")));
    assert_eq!(nkey.js_api_prefix.as_deref(), Some("JS.hub.API"));
    let jwt = home.load("jwt").unwrap();
    assert_eq!(
        (jwt.jwt.as_deref(), jwt.seed.as_deref()),
        (Some("j"), Some("s"))
    );
    assert_eq!(home.load("empty").unwrap().servers, "nats://127.0.0.1:4222");
}

#[test]
fn unsupported_fields_are_refused_by_name() {
    for (text, field, word) in [
        (r#"{"nsc": "nsc://o/a/u"}"#, "nsc", "nsc generate creds"),
        (
            r#"{"socks_proxy": "socks5://p"}"#,
            "socks_proxy",
            "not supported",
        ),
        (
            r#"{"windows_cert_store": "user"}"#,
            "windows_cert_store",
            "`ca`",
        ),
        (
            r#"{"creds": "op://vault/sEcrEt"}"#,
            "creds",
            "op: is not supported",
        ),
        (
            r#"{"password": "DATA:;base64,sEcrEt"}"#,
            "password",
            "env://NAME",
        ),
        (r#"{"token": "env://UNSET"}"#, "token", "UNSET is not set"),
        (r#"{"ca": "$UNSET/ca.pem"}"#, "ca", "UNSET is not set"),
        (r#"{"user": "ann", "creds": "/c"}"#, "creds", "`user`"),
        (r#"{"user_jwt": "sEcrEt"}"#, "user_jwt", "`user_seed`"),
        (r#"{"cert": "/c"}"#, "cert", "`key`"),
        (r#"{"password": {"is": "sEcrEt"}}"#, "password", "a text"),
        (r#"{"tls_first": "sEcrEt"}"#, "tls_first", "true or false"),
        (r#"{"proof": "sEcrEt"}"#, "proof", "leave it out"),
    ] {
        let refusal = refusal_of(text);
        assert!(
            refusal.contains(&format!("`{field}`")) && refusal.contains(word),
            "{refusal}"
        );
        assert!(refusal.contains("nats/context/c.json"), "{refusal}");
    }
}

#[test]
fn a_malformed_file_is_named_and_not_quoted() {
    for text in [
        "",
        "\"sEcrEt\"",
        "[\"sEcrEt\"]",
        "{\"password\": \"sEcrEt\"",
    ] {
        assert!(refusal_of(text).contains("c.json: not a JSON object"));
    }
}

#[test]
fn an_unknown_context_names_the_existing_ones() {
    let refusal = |home: &Home, name: &str| home.load(name).unwrap_err().to_string();
    let home = Home::with(&[("b", "{}"), ("a", "{}")]);
    for name in ["c", "", "../context/a", "no/such.json"] {
        assert!(refusal(&home, name).ends_with(".config/nats/context: there are a, b"));
    }
    assert!(refusal(&Home::with(&[]), "c").contains("nats context add"));
}

#[test]
fn a_path_to_a_json_file_is_a_context_too() {
    let home = Home::with(&[("a", r#"{"url": "nats://a"}"#)]);
    let path = home.0.path().join(".config/nats/context/a.json");
    assert_eq!(
        home.load(path.to_str().unwrap()).unwrap().servers,
        "nats://a"
    );
}

#[test]
fn xdg_names_the_folder_of_contexts() {
    let home = Home::with(&[("a", "{}")]);
    let environment = Environment {
        variable: |name| (name == "XDG_CONFIG_HOME").then(|| "/nowhere".into()),
        ..home.environment()
    };
    let refusal = load("a", &environment).unwrap_err().to_string();
    assert!(refusal.contains("/nowhere/nats/context"), "{refusal}");
}
