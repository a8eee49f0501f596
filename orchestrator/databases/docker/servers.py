"""Containers and volumes of a home, found by their labels and removed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases.docker.engine import translated
from orchestrator.databases.docker.labels import ROOT, WORKSPACE, orphaned, selection
from orchestrator.databases.docker.programs import run_program
from orchestrator.databases.docker.template import DATA, Mounted, Template

IN_PROGRESS = 409
"""The engine's answer where somebody else is removing the same container."""


@dataclass(frozen=True, slots=True)
class ContainerServers:
    """Implements :class:`orchestrator.databases.servers.Servers`: a clone is thrown away, so its server is killed."""

    client: Any
    template: Template

    @property
    def root(self) -> Path:
        """The home, as labels name it."""
        return self.template.host_root

    def stop(self, workspace: Path) -> None:
        """Remove the workspace's containers, then its volumes."""
        images = self._remove(selection(self.root, workspace.name))
        self._empty(workspace / "work" / "work", images)

    def _empty(self, kernels: Path, images: list[str]) -> None:
        """Remove the kernel's own directory in an overlay's, which is root's and not always empty.

        Root removes it with all the rest; others have a container do it, as its owner and without any rights.
        """
        try:
            kernels.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            known = [f"sha256:{note.stem}" for note in sorted((self.template.root / "images").glob("*.json"))]
            if os.geteuid() == 0 or not (images or known):
                return
            run_program(
                self.client,
                self.template,
                (images or known)[0],
                "/bin/sh",
                ["-c", 'chmod 0700 "$0" && rm -rf "$0"/*', DATA],
                what="what the kernel left of an overlay cannot be removed",
                mounts=(Mounted(kernels, DATA),),
                as_root=True,
            )
            kernels.rmdir()

    def end(self, workspace: Path) -> None:
        """The same."""
        self.stop(workspace)

    def take_over(self, workspaces: Collection[str]) -> None:
        """Remove what is of this home and of none of its ``workspaces``, whoever made it."""
        with translated("leftovers in Docker cannot be listed"):
            found = {labels.get(WORKSPACE, "") for labels in self._labelled() if labels.get(ROOT) == str(self.root)}
        for workspace in sorted(found - set(workspaces)):
            self._remove(selection(self.root, workspace))

    def reap(self) -> list[str]:
        """Remove containers and volumes whose owner is dead and whose directories are gone.

        Where there is a directory its own record of an owner decides: a later process may have taken it over. Also
        removes those of homes that are no more, where this process sees the engine's machine. Returns the names of
        their workspaces.
        """
        sees_homes = self.template.root == self.template.host_root
        dead: dict[tuple[str, str], None] = {}
        with translated("leftovers in Docker cannot be listed"):
            for found in self._labelled():
                root, workspace = found.get(ROOT, ""), found.get(WORKSPACE, "")
                here = root == str(self.root) and not self._has_directory(workspace)
                if orphaned(found) and (here or (sees_homes and not Path(root).is_dir())):
                    dead[root, workspace] = None
        for root, workspace in dead:
            self._remove(selection(Path(root), workspace))
        return [workspace for _, workspace in dead]

    def _has_directory(self, workspace: str) -> bool:
        return any((self.template.root / parent / workspace).is_dir() for parent in ("clones", "building"))

    def _labelled(self) -> Iterator[dict[str, str]]:
        marked = {"label": WORKSPACE}
        for container in self.client.api.containers(all=True, filters=marked):
            yield container["Labels"]
        for volume in self.client.api.volumes(filters=marked)["Volumes"] or ():
            yield volume["Labels"]

    def _remove(self, chosen: dict[str, list[str]]) -> list[str]:
        """Remove what is chosen; returns the images that its containers had."""
        from docker.errors import APIError, NotFound

        with translated("a clone cannot be removed from Docker"):
            containers = self.client.api.containers(all=True, filters=chosen)
            for container in containers:
                with suppress(NotFound):
                    try:
                        self.client.api.remove_container(container["Id"], force=True, v=True)
                    except APIError as error:
                        if error.status_code != IN_PROGRESS:
                            raise
                        self.client.api.wait(container["Id"], condition="removed")
            for volume in self.client.api.volumes(filters=chosen)["Volumes"] or ():
                with suppress(NotFound):
                    self.client.api.remove_volume(volume["Name"])
        return [str(container["ImageID"]) for container in containers]
