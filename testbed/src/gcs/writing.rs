//! Writing and deleting objects: the same in both languages.

use std::sync::Arc;

use super::{
    objects::{Draft, Object, Objects},
    refusal::Refusal,
    request::Request,
    token::Permission,
};

/// Writes an object, if its sender may, and if what it says must hold does hold.
pub(crate) fn write(
    objects: &mut Objects,
    request: &Request,
    bucket: &str,
    draft: Draft,
) -> Result<Arc<Object>, Refusal> {
    let there = objects.bucket(bucket)?.get(&draft.key);
    request.permissions.need(Permission::Create)?;
    // What is not to be overwritten need not be forbidden to be overwritten.
    request.condition()?.check(there.map(|object| &**object))?;
    if there.is_some() {
        request.permissions.need(Permission::Delete)?;
    }
    objects.put(bucket, draft)
}

/// Deletes an object, under the same terms.
pub(crate) fn delete(
    objects: &mut Objects,
    request: &Request,
    bucket: &str,
    key: &str,
) -> Result<(), Refusal> {
    objects.bucket(bucket)?;
    request.permissions.need(Permission::Delete)?;
    request
        .condition()?
        .check(Some(&*objects.get(bucket, key)?))?;
    objects.delete(bucket, key)
}
