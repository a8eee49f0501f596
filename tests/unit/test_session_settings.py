"""What is given to Spark when a session starts."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from executor.session.start import settings_of


def test_a_home_with_a_space_in_its_name_is_one_option_of_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/nowhere")  # no class data archive
    work = Path('/srv/a "home" ü/work')
    settings = settings_of({"spark.driver.extraJavaOptions": "-Da=b"}, (), work, work / "log4j2.properties")
    options = shlex.split(settings["spark.driver.extraJavaOptions"])
    assert options[0] == "-Da=b"
    assert options[-1] == f"-Djava.io.tmpdir={work}"
    assert len(options) == 3
