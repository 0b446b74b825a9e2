//! The checksums of an object, and the header `x-goog-hash` that carries them.
//!
//! Every object has a CRC32C. MD5 costs ten times as much: it is computed only where the client
//! sends one to compare. An object without MD5 looks like one of Google's composite objects.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};

use super::{content::Content, error_response::ErrorResponse};

/// The checksums of one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) crc32c: u32,
    pub(crate) md5: Option<[u8; 16]>,
}

impl Sums {
    pub(crate) fn crc32c_base64(&self) -> String {
        BASE64_STANDARD.encode(self.crc32c.to_be_bytes())
    }

    pub(crate) fn md5_base64(&self) -> Option<String> {
        self.md5.map(|sum| BASE64_STANDARD.encode(sum))
    }

    /// The values of `x-goog-hash`, which Google sends once for each checksum.
    pub(crate) fn headers(&self) -> Vec<String> {
        let md5 = self.md5_base64().map(|sum| format!("md5={sum}"));
        let crc32c = format!("crc32c={}", self.crc32c_base64());
        std::iter::once(crc32c).chain(md5).collect()
    }
}

/// The checksums that a client expects, in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) crc32c: Option<String>,
    pub(crate) md5: Option<String>,
}

impl Claims {
    /// Reads any number of `x-goog-hash`, and `content-md5`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut claims = Self::default();
        let text = |name| headers.get_all(name).into_iter();
        let hashes = text("x-goog-hash").filter_map(|value| value.to_str().ok());
        for (name, sum) in hashes
            .flat_map(|value| value.split(','))
            .filter_map(|hash| hash.trim().split_once('='))
        {
            match name {
                "crc32c" => claims.crc32c = Some(sum.to_owned()),
                "md5" => claims.md5 = Some(sum.to_owned()),
                _ => {}
            }
        }
        if let Some(sum) = headers.get("content-md5").and_then(|sum| sum.to_str().ok()) {
            claims.md5 = Some(sum.to_owned());
        }
        claims
    }

    /// The checksums of these bytes, if the client expects the same.
    pub(crate) fn check(&self, content: &Content) -> Result<Sums, ErrorResponse> {
        let pieces = content.0.iter();
        let crc32c = pieces.fold(0, |sum, piece| crc32c::crc32c_append(sum, piece));
        let md5 = self.md5.as_ref().map(|_| {
            let mut hasher = Md5::new();
            content.0.iter().for_each(|piece| hasher.update(piece));
            hasher.finalize().into()
        });
        let sums = Sums { crc32c, md5 };
        let computed = sums.crc32c_base64();
        if let Some(given) = self.crc32c.as_ref().filter(|given| **given != computed) {
            return Err(ErrorResponse::bad_digest("CRC32C", given, &computed));
        }
        if let (Some(given), Some(computed)) = (&self.md5, sums.md5_base64())
            && *given != computed
        {
            return Err(ErrorResponse::bad_digest("MD5", given, &computed));
        }
        Ok(sums)
    }
}
