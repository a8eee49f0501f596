"""What a jailed session may read: the programs that it needs, and nothing that belongs to anybody."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import executor
import snipbench

ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")
"""Of the machine's own settings; others are the jail's (:mod:`executor.jail.furniture`)."""


def packages_root() -> Path:
    """Where our packages are imported from."""
    return Path(executor.__file__).resolve().parent.parent


def our_packages() -> list[Path]:
    """The two that a session imports. The folder around them may be a checkout, with anything in it."""
    return [Path(package.__file__ or "").resolve().parent for package in (executor, snipbench)]


def programs() -> list[Path]:
    """Python, its packages and Java, as far as they are not below /usr; each path once, outer ones first."""
    wanted = [Path("/etc") / name for name in ETC]
    wanted += sorted(Path("/etc").glob("java*"))
    wanted += [Path(path) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, *_site_packages())]
    home = java_home()
    if home is not None:
        wanted.append(home)
    found: list[Path] = []
    for path in wanted:
        if path.exists() and not any(path.is_relative_to(outer) for outer in (Path("/usr"), *found)):
            found.append(path)
    return found


def java_home() -> Path | None:
    """The JDK that a session here would use."""
    if configured := os.environ.get("JAVA_HOME"):
        return Path(configured)
    java = shutil.which("java")
    return None if java is None else Path(java).resolve().parent.parent


def _site_packages() -> list[str]:
    """Where packages are imported from: pyspark may be a user's own installation, outside Python's prefix."""
    import pyspark

    paths = sysconfig.get_paths()
    return [paths["purelib"], paths["platlib"], str(Path(pyspark.__file__).resolve().parent.parent)]
