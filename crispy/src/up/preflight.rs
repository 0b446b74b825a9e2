//! What can be wrong before anything is started or written: the cheap questions, asked first.

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
    child,
    config::Up,
    data_dir::DataDir,
    nats_server::NatsServer,
    pages::{self, Pages},
};

/// Everything that is needed and was found right.
#[derive(Debug)]
pub(super) struct Preflight {
    /// The site.
    pub site: Name,
    /// The cameras.
    pub cameras: Vec<CameraSource>,
    /// The bucket's URL, as its store writes it.
    pub bucket: String,
    /// The data directory, ours alone.
    pub data_dir: DataDir,
    /// The server to start; `None` where another is used.
    pub nats: Option<NatsServer>,
    /// Our programs: ingestor, uploader, inspector.
    pub programs: [PathBuf; 3],
    /// Where their pages will be, in the same order, if anybody asked for any.
    pub pages: Pages,
}

impl Preflight {
    /// Looks at everything that can be looked at without changing anything; only then makes data directory and bucket, where they are
    /// missing.
    pub(super) fn check(up: &Up) -> Result<Self, Failed> {
        let site = cameras::site(&up.cameras.site)?;
        let cameras = cameras::parse(&up.cameras.camera)?;
        for camera in &cameras {
            look_at(camera)?;
        }
        let nats = match up.nats_server {
            Some(_) => None,
            None => Some(NatsServer::find(up)?),
        };
        let [ingestor, uploader, inspector] =
            ["crispy-ingestor", "crispy-uploader", "crispy-inspector"].map(program);
        let programs = [ingestor?, uploader?, inspector?];
        let pages = pages::check()?;
        let data_dir = DataDir::take(std::path::absolute(&up.data_dir)?)?;
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
            pages,
        })
    }
}

/// The folder "bucket" of the data directory, whatever characters its path has.
fn bucket_in(data_dir: &DataDir) -> Result<String, Failed> {
    let folder = data_dir.path().join("bucket");
    let url = Url::from_file_path(&folder).map_err(|()| {
        let message = anyhow!("no URL for {}: give a --bucket", folder.display());
        Failed::new(Exit::BucketUnavailable, message)
    })?;
    Ok(url.into())
}

/// What the file system knows of a source. What FFmpeg knows of it the ingestor tells.
fn look_at(camera: &CameraSource) -> Result<(), Failed> {
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
            refuse(Exit::SourceNotFound, "is not there: check the path")
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
        let message = anyhow!("{name} is neither beside this program nor on PATH: install all four, or build them with `cargo build --bins`");
        Failed::new(Exit::Failure, message)
    })
}
