"""A database of its own on the server of MongoDB's protocol that the environment names."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.result import NotMeasured


@contextmanager
def mongo_database() -> Iterator[str]:
    """URL of a new database, dropped afterwards.

    Raises:
        NotMeasured: no server is named.
    """
    server = os.environ.get("SNIPBENCH_TEST_MONGO", "").rstrip("/")
    if not server:
        raise NotMeasured("SNIPBENCH_TEST_MONGO names no server of MongoDB's protocol")
    import pymongo

    name = f"snipbench_benchmark_{uuid.uuid4().hex[:12]}"
    try:
        yield f"{server}/{name}"
    finally:
        client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(server)
        with client:
            client.drop_database(name)
