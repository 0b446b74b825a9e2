//! Cameras and their site: `--camera front=clip.mp4 --camera yard=yard.ts --site demo`.
//!
//! Names are checked after the command line has been read, so that a wrong name has an exit code of
//! its own.

use std::fmt;

use anyhow::anyhow;
use clap::Args;
use crispy_proto::id::Name;

use crate::{Exit, Failed, Redacted};

/// The flags about cameras, alike in every program.
#[derive(Clone, Debug, Args)]
pub struct CameraFlags {
    /// A camera as NAME=SOURCE, the source a video file's path, or the URL (http, https) of one or
    /// of a playlist that ends; once for each camera
    // In the environment and in a file, one a line.
    #[arg(
        long,
        env = "CRISPY_CAMERA",
        value_name = "NAME=SOURCE",
        value_delimiter = '\n',
        required = true,
        hide_env_values = true
    )]
    pub camera: Vec<String>,

    /// The site that the cameras stand at
    #[arg(
        long,
        env = "CRISPY_SITE",
        value_name = "NAME",
        default_value = "local"
    )]
    pub site: String,
}

/// A camera and the source of its video.
#[derive(Clone, PartialEq, Eq)]
pub struct CameraSource {
    /// Its name.
    pub name: Name,
    /// A path or a URL. It may hold a password: never printed as it is.
    pub location: String,
}

impl fmt::Debug for CameraSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, Redacted(&self.location))
    }
}

/// The cameras of `--camera NAME=SOURCE`.
///
/// # Errors
/// [`Exit::Usage`] for another form, [`Exit::WrongName`] for a refused name, [`Exit::NameTwice`]
/// for two cameras of one name.
pub fn parse(arguments: &[String]) -> Result<Vec<CameraSource>, Failed> {
    let mut cameras: Vec<CameraSource> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let camera = parse_one(argument)?;
        if let Some(other) = cameras.iter().find(|other| other.name == camera.name) {
            let message = anyhow!(
                "two cameras are called {}: {other:?} and {camera:?}; give each a name of its own",
                camera.name
            );
            return Err(Failed::new(Exit::NameTwice, message));
        }
        cameras.push(camera);
    }
    Ok(cameras)
}

/// The site of `--site NAME`.
///
/// # Errors
/// [`Exit::WrongName`] for a refused name.
pub fn site(argument: &str) -> Result<Name, Failed> {
    let name = argument.parse();
    name.map_err(|error| Failed::new(Exit::WrongName, anyhow::Error::new(error).context("--site")))
}

fn parse_one(argument: &str) -> Result<CameraSource, Failed> {
    let parts = argument
        .split_once('=')
        .filter(|(name, location)| !looks_like_location(name) && !location.is_empty());
    let Some((name, location)) = parts else {
        let message = anyhow!(
            "--camera {}: a camera is given as NAME=SOURCE, such as front=clip.mp4",
            Redacted(argument)
        );
        return Err(Failed::new(Exit::Usage, message));
    };
    let refused = |error| {
        Failed::new(
            Exit::WrongName,
            anyhow::Error::new(error).context("--camera"),
        )
    };
    Ok(CameraSource {
        name: name.parse().map_err(refused)?,
        location: location.to_owned(),
    })
}

/// Whether the text before the first `=` begins a source without a name, as in
/// `rtsp://user:password@host/x?a=b`. As a name it would be repeated with its password.
fn looks_like_location(name: &str) -> bool {
    name.contains(['/', ':', '@', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: &[&str]) -> (Exit, String) {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let failed = parse(&arguments).unwrap_err();
        (failed.exit, failed.to_string())
    }

    #[test]
    fn a_location_may_hold_equals_signs() {
        let cameras =
            parse(&["front=http://cam/v?channel=1".into(), "yard=a=b.mp4".into()]).unwrap();
        assert_eq!(cameras[0].location, "http://cam/v?channel=1");
        assert_eq!(cameras[1].location, "a=b.mp4");
    }

    #[test]
    fn each_mistake_has_its_own_code_and_advice() {
        let (exit, message) = refusal(&["Front Door=clip.mp4"]);
        assert!(
            exit == Exit::WrongName && message.contains("lower-case"),
            "{message}"
        );
        let (exit, message) = refusal(&["front=a.mp4", "yard=b.mp4", "front=c.mp4"]);
        assert!(
            exit == Exit::NameTwice
                && message.contains("front=a.mp4")
                && message.contains("front=c.mp4"),
            "{message}"
        );
        for argument in [
            "clip.mp4",
            "front=",
            "front",
            "clips/a=b.mp4",
            "http://cam/v?channel=1",
        ] {
            let (exit, message) = refusal(&[argument]);
            assert!(
                exit == Exit::Usage && message.contains("NAME=SOURCE"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let (_, message) = refusal(&["front=rtsp://u:secret@a/1", "front=rtsp://u:secret@a/2"]);
        assert!(!message.contains("secret"), "{message}");
        for argument in [
            "rtsp://u:secret@cam/x?a=b",
            "rtsp://u:secret=secret@cam/x",
            "rtsp://cam/x?password=secret",
            "u:secret@cam/x?a=b",
            "front:secret@cam=x",
        ] {
            let (exit, message) = refusal(&[argument]);
            assert!(
                exit == Exit::Usage && message.contains("NAME=SOURCE"),
                "{message}"
            );
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
