"""Google's own client against the simulator: it understands every response.

Called by google.rs with STORAGE_EMULATOR_HOST and the bucket's name.
"""

import sys

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

bucket = storage.Client(project="crispy", credentials=AnonymousCredentials()).get_bucket(sys.argv[1])
video = bytes(range(256)) * 6000

# An upload in one request, with a precondition, metadata and a checksum that the client computes.
blob = bucket.blob("v1/site/camera/chunk 0.mp4")
blob.metadata = {"camera": "door"}
blob.upload_from_string(video, content_type="video/mp4", if_generation_match=0, checksum="crc32c")
assert blob.generation > 1_000_000_000_000_000, blob.generation
assert blob.size == len(video), blob.size

try:
    blob.upload_from_string(b"other", if_generation_match=0)
    sys.exit("a create overwrote an object")
except PreconditionFailed:
    pass

# The same object, found by its name and read back. The client checks the bytes against x-goog-hash.
found = bucket.get_blob(blob.name)
assert (found.generation, found.crc32c, found.content_type) == (blob.generation, blob.crc32c, "video/mp4"), found
assert found.metadata == {"camera": "door"}, found.metadata
assert found.download_as_bytes() == video
assert found.download_as_bytes(start=1000, end=1999) == video[1000:2000]

assert [each.name for each in bucket.list_blobs(prefix="v1/site/")] == [blob.name]
assert bucket.test_iam_permissions(["storage.objects.create"]) == ["storage.objects.create"]

# An object that the XML API wrote.
other = bucket.get_blob("made/by/object_store")
assert other.metadata == {"chunk_from": "2026-11-22T00:00:00Z"}, other.metadata
assert other.download_as_bytes(checksum="crc32c") == b"bytes"

assert bucket.get_blob("missing") is None
other.delete(if_generation_match=other.generation)
try:
    other.delete()
    sys.exit("an object was deleted twice")
except NotFound:
    pass
