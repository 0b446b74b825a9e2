//! Checks that are made before anything is started or written.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use crispy_proto::id::Name;
use crispy_runtime::{
    Exit, Failed,
    cameras::{self, CameraSource},
};
use url::Url;

use super::{
    admin_pages::{self, AdminPages},
    child,
    config::Up,
    data_dir::DataDir,
    nats_server::NatsServer,
};

/// Everything that a session needs, checked.
#[derive(Debug)]
pub(super) struct Preflight {
    /// The site.
    pub site: Name,
    /// The cameras.
    pub cameras: Vec<CameraSource>,
    /// The bucket's URL in canonical form.
    pub bucket: String,
    /// The locked data directory.
    pub data_dir: DataDir,
    /// The server to start; `None` if another is used.
    pub nats: Option<NatsServer>,
    /// Our programs: ingestor, uploader, inspector.
    pub programs: [PathBuf; 3],
    /// Addresses of their admin pages, in the same order; empty if none was requested.
    pub admin_pages: AdminPages,
}

impl Preflight {
    /// Checks everything that needs no change, and only then creates a missing data directory and
    /// bucket.
    pub(super) fn check(up: &Up) -> Result<Self, Failed> {
        let site = cameras::site(&up.cameras.site)?;
        let cameras = cameras::parse(&up.cameras.camera)?;
        for camera in &cameras {
            check_source(camera)?;
        }
        let nats = match up.nats_server {
            Some(_) => None,
            None => Some(NatsServer::find(up)?),
        };
        let [ingestor, uploader, inspector] =
            ["crispy-ingestor", "crispy-uploader", "crispy-inspector"].map(program);
        let programs = [ingestor?, uploader?, inspector?];
        let admin_pages = admin_pages::check()?;
        let data_dir = DataDir::lock(std::path::absolute(&up.data_dir)?)?;
        let bucket = match &up.bucket {
            Some(bucket) => bucket.clone(),
            None => bucket_in(&data_dir)?,
        };
        let bucket = crispy_runtime::open_bucket(&bucket, &up.options)?
            .url()
            .to_owned();
        Ok(Self {
            site,
            cameras,
            bucket,
            data_dir,
            nats,
            programs,
            admin_pages,
        })
    }
}

/// URL of the folder "bucket" in the data directory.
fn bucket_in(data_dir: &DataDir) -> Result<String, Failed> {
    let folder = data_dir.path().join("bucket");
    let url = Url::from_file_path(&folder).map_err(|()| {
        let message = anyhow!("no URL for {}: name one with --bucket", folder.display());
        Failed::new(Exit::BucketUnavailable, message)
    })?;
    Ok(url.into())
}

/// Checks a source file by its metadata. The ingestor checks its content.
fn check_source(camera: &CameraSource) -> Result<(), Failed> {
    if camera.location.contains("://") && !camera.location.starts_with("file://") {
        return Ok(());
    }
    let path = Path::new(
        camera
            .location
            .strip_prefix("file://")
            .unwrap_or(&camera.location),
    );
    let refuse = |exit, what: &str| {
        let message = anyhow!("camera {}: {} {what}", camera.name, path.display());
        Err(Failed::new(exit, message))
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse(Exit::SourceNotFound, "does not exist: check the path")
        }
        Err(error) => refuse(Exit::SourceUnreadable, &format!("cannot be read: {error}")),
        Ok(about) if about.is_dir() => refuse(
            Exit::SourceUnreadable,
            "is a folder: name a video file in it",
        ),
        Ok(about) if !about.is_file() => refuse(
            Exit::SourceUnreadable,
            "is not a regular file: name a video file",
        ),
        Ok(about) if about.len() == 0 => {
            refuse(Exit::SourceEmpty, "is empty: was it still being copied?")
        }
        Ok(_) => Ok(()),
    }
}

fn program(name: &str) -> Result<PathBuf, Failed> {
    child::find_ours(name).ok_or_else(|| {
        let message = anyhow!("{name} is neither beside this program nor on PATH: install all four programs, or build them with `cargo build --bins`");
        Failed::new(Exit::Failure, message)
    })
}
