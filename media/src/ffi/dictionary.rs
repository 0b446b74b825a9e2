//! Options and metadata of libav.

use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_sys_next as av;

/// Options by name. libav removes the ones it knows; the rest is unknown to it.
pub(super) struct Dictionary(pub(super) *mut av::AVDictionary);

impl Dictionary {
    /// Options from pairs of name and value, which are written in this crate and hold no NUL byte.
    pub(super) fn new(options: &[(&str, String)]) -> Dictionary {
        let mut dictionary = Dictionary(ptr::null_mut());
        for (name, value) in options {
            let name =
                CString::new(*name).expect("option names are written in this crate, without NUL");
            let value = CString::new(value.as_str())
                .expect("option values are numbers and words of this crate");
            // SAFETY: the dictionary is null or one that libav made; both strings are copied by
            // libav.
            unsafe { av::av_dict_set(&raw mut dictionary.0, name.as_ptr(), value.as_ptr(), 0) };
        }
        dictionary
    }

    /// Returns true if libav has taken every option: it ignores an unknown name, which is a bug
    /// here.
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: null and dictionaries made by libav are both counted.
        unsafe { av::av_dict_count(self.0) == 0 }
    }
}

/// The value of a key in a dictionary of libav.
///
/// # Safety
/// The dictionary is null or one that libav made, and nothing changes it meanwhile.
pub(super) unsafe fn text(dictionary: *const av::AVDictionary, key: &CStr) -> Option<String> {
    // SAFETY: by the contract of this function; libav ends keys and values with a zero.
    unsafe {
        let entry = av::av_dict_get(dictionary, key.as_ptr(), ptr::null(), 0).as_ref()?;
        Some(CStr::from_ptr(entry.value).to_string_lossy().into_owned())
    }
}

impl Drop for Dictionary {
    fn drop(&mut self) {
        // SAFETY: frees what `new` made or what libav left of it, once, and sets the pointer to
        // null.
        unsafe { av::av_dict_free(&raw mut self.0) };
    }
}
