//! One camera of one site.

use std::{fmt, str::FromStr};

use super::{Name, NameError};

/// A camera, unique in the whole system. Printed and parsed as `site/camera`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId {
    /// The site it stands at.
    pub site: Name,
    /// Its name there.
    pub camera: Name,
}

impl CameraId {
    /// The camera that a message names. Messages come from anywhere, so their strings pass the same door as an operator's.
    pub fn from_wire(site: &str, camera: &str) -> Result<Self, NameError> {
        Ok(Self {
            site: site.parse()?,
            camera: camera.parse()?,
        })
    }
}

impl FromStr for CameraId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (site, camera) = text.split_once('/').unwrap_or((text, ""));
        Self::from_wire(site, camera)
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site, self.camera)
    }
}
