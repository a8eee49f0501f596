"""Files to write at a path or a URL: object storage, and whatever else fsspec knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import fsspec

S3 = "s3://"


@contextmanager
def opened(address: str, *, make_folders: bool = False) -> Iterator[BinaryIO]:
    """A new file for bytes; it is there when the context ends.

    Args:
        address: a path, ``s3://BUCKET/KEY``, or a URL that fsspec knows. Endpoint, region and keys of an object store
            are the environment's (``AWS_ENDPOINT_URL``, ``AWS_REGION``, ``AWS_ACCESS_KEY_ID``, …).
        make_folders: whether missing folders of a path are made.

    Raises:
        OSError: it cannot be written.
        ValueError: the address is none.
        ImportError: a URL of this kind needs a package that is not installed.
    """
    if address.startswith(S3):
        from pyarrow.fs import FileSystem

        # Else a checksum follows the content in a frame, which stores that do not know it keep as content.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        # Small objects are put at once, without the three requests of an upload in parts.
        delayed = f"{address}{'&' if '?' in address else '?'}allow_delayed_open=true"
        filesystem, path = FileSystem.from_uri(delayed)
        with filesystem.open_output_stream(path) as stream:
            yield cast("BinaryIO", stream)
        return
    options = {"auto_mkdir": True} if make_folders else {}
    with fsspec.open(address, "wb", **options) as file:
        yield file
