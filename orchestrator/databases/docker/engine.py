"""The Docker engine, its errors translated at this edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from snipbench.errors import DatabaseError, MachineError

REQUEST_SECONDS = 120
"""How long one request to the engine may take; a stopped daemon never answers."""


@cache
def connect() -> Any:
    """The engine that the environment names (``DOCKER_HOST``, …), else this machine's.

    Raises:
        MachineError: no client library, or nobody answers.
    """
    try:
        import docker
    except ImportError as error:
        raise MachineError("--databases docker needs the package docker: pip install 'snipbench[services]'") from error
    try:
        client = docker.from_env(timeout=REQUEST_SECONDS)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise MachineError(
            f"the Docker engine does not answer ({error}): start it, or let this user reach its socket (group docker), "
            "or use --databases embedded"
        ) from error
    return client


@contextmanager
def translated(what: str) -> Iterator[None]:
    """The engine's errors become DatabaseError, in its words, after ``what`` could not be done."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise DatabaseError(f"{what}: {error.explanation or error}") from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise DatabaseError(f"{what}: {error}") from error
