//! Camera ids.

use std::{fmt, str::FromStr};

use super::{Name, NameError};

/// A camera, unique in the whole system. Printed and parsed as `site/camera`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId {
    /// Its site.
    pub site: Name,
    /// Its name within the site.
    pub camera: Name,
}

impl CameraId {
    /// Parses the camera of a message. Messages may come from any program, so their strings pass
    /// the same checks as an operator's.
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
