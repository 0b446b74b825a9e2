//! Certificates, and JWTs of an operator, an account and a user.

use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer};
use tempfile::TempDir;

/// Certificates of one authority, in files.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// An authority, a server at 127.0.0.1 and a client.
    pub(crate) fn new() -> Self {
        let certificates = Self {
            folder: TempDir::new().unwrap(),
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        certificates.write("ca.pem", &own.pem());
        let authority = Issuer::new(params, key);
        for (who, name) in [("server", "127.0.0.1"), ("client", "uploader")] {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let signed = params.signed_by(&key, &authority).unwrap();
            certificates.write(&format!("{who}.pem"), &signed.pem());
            certificates.write(&format!("{who}.key"), &key.serialize_pem());
        }
        certificates
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The `tls` block of a server's configuration, with additional lines.
    pub(crate) fn config(&self, more: &str) -> String {
        let file = |name| self.path(name).display().to_string();
        format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, {more} }}",
            file("server.pem"),
            file("server.key"),
            file("ca.pem")
        )
    }
}

/// A server's configuration that trusts an operator, and the credentials of one user.
pub(crate) struct Operator {
    pub(crate) config: String,
    pub(crate) jwt: String,
    pub(crate) seed: String,
}

impl Operator {
    pub(crate) fn new() -> Self {
        let (operator, account, user) = (
            KeyPair::new_operator(),
            KeyPair::new_account(),
            KeyPair::new_user(),
        );
        let operator_jwt = signed(&operator, &operator, r#""type":"operator""#);
        let limits = r#""type":"account","limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1}"#;
        let account_jwt = signed(&operator, &account, limits);
        let user_claims = r#""type":"user","subs":-1,"data":-1,"payload":-1,"pub":{},"sub":{}"#;
        Self {
            config: format!(
                "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {}: {account_jwt} }}",
                account.public_key()
            ),
            jwt: signed(&account, &user, user_claims),
            seed: user.seed().unwrap(),
        }
    }

    /// A credentials file, as `nsc generate creds` writes it.
    pub(crate) fn creds(&self) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            self.jwt, self.seed
        )
    }
}

fn signed(issuer: &KeyPair, subject: &KeyPair, claims: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let (iss, sub) = (issuer.public_key(), subject.public_key());
    let body = format!(
        r#"{{"jti":"1","iat":1700000000,"iss":"{iss}","sub":"{sub}","name":"n","nats":{{{claims},"version":2}}}}"#
    );
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(body));
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
