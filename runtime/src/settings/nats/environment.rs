//! Environment variables and home folder, of the process or of a test.

use std::{env, path::PathBuf};

/// The surroundings that a context may refer to.
#[derive(Clone)]
pub(super) struct Environment {
    /// Looks a variable up.
    pub(super) variable: fn(&str) -> Option<String>,
    /// The user's home folder.
    pub(super) home: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub(super) fn from_process() -> Self {
        Self {
            variable: |name| env::var(name).ok(),
            home: env::home_dir().filter(|home| !home.as_os_str().is_empty()),
        }
    }
}
