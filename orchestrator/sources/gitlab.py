"""An order in a GitLab project (API v4): fetched with its files at one commit, whose id is kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from orchestrator.intake import Configuration
from orchestrator.orders.sources import check_relative
from orchestrator.settings import ServiceSettings
from orchestrator.sources.transport import Answer, Transport
from snipbench.clock import Clock
from snipbench.errors import SourceError, UsageError

MAX_TREE_PAGES = 20


def fetch_gitlab(
    settings: ServiceSettings,
    *,
    project: str,
    path: str,
    ref: str = "HEAD",
    token: str | None = None,
    clock: Clock | None = None,
) -> Configuration:
    """Fetch an order at the commit that ``ref`` names now. ``token``, or else the settings', is sent as PRIVATE-TOKEN.

    Raises:
        SourceError: it could not be fetched; the text says what is wrong: token, project, ref or file.
    """
    if settings.gitlab_url is None:
        raise SourceError("refused", "this service knows no GitLab (SNIPBENCH_GITLAB_URL)")
    repository = Repository(settings, project, token=token, clock=clock)
    commit = repository.commit(ref)
    check_relative(path)
    body = repository.file(path, commit)
    shown = repository.shown(path)
    name = PurePosixPath(path).name
    return Configuration(
        text=body.text(shown),
        file_name=name,
        sources=GitLabSources(repository, str(PurePosixPath(path).parent), commit),
        origin={
            "kind": "gitlab",
            "location": shown,
            "ref": ref,
            "commit": commit,
            "sha256": hashlib.sha256(body.body).hexdigest(),
        },
    )


class Repository:
    """One project's repository."""

    def __init__(
        self, settings: ServiceSettings, project: str, *, token: str | None = None, clock: Clock | None = None
    ) -> None:
        assert settings.gitlab_url is not None
        secret = token or (settings.gitlab_token.value if settings.gitlab_token else None)
        parts = urlsplit(settings.gitlab_url)
        self._host = parts.netloc
        self._project = project
        self._base = f"{parts.path.rstrip('/')}/api/v4/projects/{quote(project, safe='')}/repository"
        header = None if secret is None else ("PRIVATE-TOKEN", secret)
        self._transport = Transport(settings.gitlab_url, {parts.netloc.lower()}, token=header, clock=clock)

    def shown(self, path: str = "") -> str:
        """A file of the project, for a person."""
        return f"{self._host}/{self._project}{':' + path if path else ''}"

    def commit(self, ref: str) -> str:
        """Id of the commit that a branch, tag or id names.

        Raises:
            SourceError: there is no such project or ref.
        """
        answer = self._get(f"/commits/{quote(ref, safe='')}", self.shown())
        if answer.status == 404:
            if "project" in _message(answer).lower():
                # GitLab answers so as well where the token may not see the project.
                raise SourceError("missing", f"{self.shown()}: no such project, or the token may not see it (404)")
            raise SourceError("missing", f"{self.shown()}: no commit, branch or tag {ref!r} (404)")
        found = _json(answer, self.shown())
        commit = found.get("id") if isinstance(found, dict) else None
        if not isinstance(commit, str):
            raise SourceError("unavailable", f"{self.shown()}: the answer is none of GitLab's")
        return commit

    def file(self, path: str, commit: str) -> Answer:
        """A file's content at a commit.

        Raises:
            SourceError: it is not there; the text names where a file of that name lies now.
        """
        shown = self.shown(path)
        answer = self._get(f"/files/{quote(path, safe='')}/raw?ref={quote(commit, safe='')}", shown)
        if answer.status != 404:
            return answer
        moved = self._namesakes(PurePosixPath(path).name, commit)
        at = f"at commit {commit[:10]}"
        if moved:
            raise SourceError("moved", f"{shown}: not there {at}; a file of that name is at {', '.join(moved)}")
        raise SourceError("missing", f"{shown}: not there {at} (404)")

    def _namesakes(self, name: str, commit: str) -> list[str]:
        """Up to three paths of files of that name."""
        found: list[str] = []
        page = "1"
        for _ in range(MAX_TREE_PAGES):
            query = f"?ref={quote(commit, safe='')}&recursive=true&per_page=100&page={page}"
            answer = self._get(f"/tree{query}", self.shown())
            entries = _json(answer, self.shown()) if answer.status != 404 else []
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                break  # no tree; that the file is missing is true all the same
            found += [
                str(entry.get("path")) for entry in entries if (entry.get("type"), entry.get("name")) == ("blob", name)
            ]
            page = answer.headers.get("x-next-page", "")
            if not page.isdigit() or len(found) >= 3:
                break
        return found[:3]

    def _get(self, path: str, shown: str) -> Answer:
        return self._transport.get(f"{self._base}{path}", shown=shown)


class GitLabSources:
    """Implements the port of an order's files: beside the order, at its commit."""

    def __init__(self, repository: Repository, folder: str, commit: str) -> None:
        self._repository = repository
        self._folder = folder
        self._commit = commit

    @property
    def base(self) -> None:
        """None: not a folder of this machine."""
        return

    def read(self, name: str) -> str:
        """See the port."""
        check_relative(name)
        path = str(PurePosixPath(self._folder) / name)
        try:
            return self._repository.file(path, self._commit).text(self._repository.shown(path))
        except SourceError as error:
            if error.reason not in {"missing", "moved"}:
                raise
            raise UsageError(f"file {name!r}: {error}") from None

    def check(self, name: str) -> None:
        """See the port."""
        self.read(name)


def _json(answer: Answer, shown: str) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        raise SourceError("unavailable", f"{shown}: the answer is no JSON") from None


def _message(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body).get("message", ""))
    except (ValueError, AttributeError):
        return ""
