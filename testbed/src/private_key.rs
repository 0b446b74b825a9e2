//! Private keys, made when a test asks for one and kept nowhere.

use std::process::Command;

use crate::program::tool;

/// A new RSA key in the form of a service account's file: PKCS #8 in PEM.
///
/// # Panics
///
/// When `make setup` has not installed Python and its cryptography.
pub fn private_key() -> String {
    let script = "from cryptography.hazmat.primitives.asymmetric import rsa\n\
        from cryptography.hazmat.primitives import serialization as s\n\
        key = rsa.generate_private_key(65537, 2048)\n\
        print(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())";
    let python = tool("venv/bin/python");
    let made = Command::new(python).args(["-c", script]).output();
    let made = made.expect("run the python of tools/venv");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).expect("PEM is ASCII")
}
