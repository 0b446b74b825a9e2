//! A key of the moment at which it is asked for: none is kept anywhere.

use std::process::Command;

use crate::program::of_tools;

/// A new RSA key, as a service account's file has it: PKCS #8 in PEM.
///
/// # Panics
///
/// When Python or its cryptography is not there, which `make setup` mends.
pub fn private_key() -> String {
    let script = "from cryptography.hazmat.primitives.asymmetric import rsa\n\
        from cryptography.hazmat.primitives import serialization as s\n\
        print(rsa.generate_private_key(65537, 2048).private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())";
    let python = of_tools("venv/bin/python");
    let made = Command::new(python).args(["-c", script]).output();
    let made = made.expect("run the python of tools/venv");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).expect("PEM is ASCII")
}
