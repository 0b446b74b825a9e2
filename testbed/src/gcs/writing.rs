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
    let holds = request.condition()?.check(there.map(|object| &**object));
    let allowed = match there {
        Some(_) => request.permissions.need(Permission::Delete),
        None => Ok(()),
    };
    if request.conditions_before_permissions {
        holds.and(allowed)?;
    } else {
        allowed.and(holds)?;
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
