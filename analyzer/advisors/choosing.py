"""Which advisor an order gets, from its setting and the environment."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from analyzer.advisors.port import Advisor
from analyzer.advisors.rules import RulesAdvisor
from snipbench.clock import Clock, SystemClock
from snipbench.errors import UsageError
from snipbench.redaction import Redactor, secret_values
from snipbench.store.port import DocumentStore

BASE_URL = "OPENAI_BASE_URL"
API_KEY = "OPENAI_API_KEY"
API_KEY_FILE = "OPENAI_API_KEY_FILE"
MODEL = "SNIPBENCH_ADVISOR_MODEL"
SCRIPT = "SNIPBENCH_ADVISOR_SCRIPT"
TIMEOUT = "SNIPBENCH_ADVISOR_TIMEOUT_SECONDS"
TIMEOUT_SECONDS = 120.0
"""For one piece of advice with all its retries, unless settings say otherwise."""


@dataclass(frozen=True, slots=True)
class AdvisorSettings:
    """What the advisors need to know. A field that is ``None`` is taken from the environment's variable above it.

    ``timeout_seconds`` is for one piece of advice with all its retries.
    """

    base_url: str | None = None
    api_key_file: Path | None = None
    model: str | None = None
    script: Path | None = None
    timeout_seconds: float | None = None


NO_SETTINGS = AdvisorSettings()


@dataclass(frozen=True, slots=True)
class ChosenAdvisor:
    """An advisor, and why it is not the one that was asked for (``None`` where it is)."""

    advisor: Advisor
    asked: str
    fallback: str | None = None


def choose_advisor(
    asked: str,
    environment: Mapping[str, str],
    *,
    settings: AdvisorSettings = NO_SETTINGS,
    store: DocumentStore | None = None,
    analysis: str | None = None,
    secrets: Collection[str] = (),
    clock: Clock | None = None,
) -> ChosenAdvisor:
    """The advisor that is asked for; ``rules``, saying so, where ``llm`` has no endpoint or no model.

    Args:
        asked: ``rules``, ``llm`` or ``scripted``.
        environment: variables, such as ``os.environ``.
        settings: what goes before the environment.
        store: keeps the record of the exchanges with an endpoint.
        analysis: for which they are made.
        secrets: values that must be in nothing that is sent, kept or raised, beside the key and the values of the
            environment's variables with secret-like names.
        clock: what tells the time and waits.

    Raises:
        UsageError: no such advisor, ``scripted`` without a script, a file that cannot be read, or a time-out that is no
            number of seconds.
    """
    if asked == "rules":
        return ChosenAdvisor(RulesAdvisor(), asked)
    if asked == "scripted":
        return ChosenAdvisor(_scripted(settings, environment), asked)
    if asked != "llm":
        raise UsageError(f"there is no advisor {asked!r}; choose rules, llm or scripted")
    key = read_key(environment, settings)
    missing = _missing(settings, environment, key)
    if missing is not None:
        return ChosenAdvisor(RulesAdvisor(), asked, f"{missing}, so the advisor is rules instead of llm")
    seconds = read_timeout(environment, settings)
    redactor = Redactor({*secrets, *secret_values(environment), *([key] if key else [])})
    from analyzer.advisors.endpoint import Endpoint
    from analyzer.advisors.exchanges import ExchangeLog
    from analyzer.advisors.llm import LlmAdvisor, LlmLimits

    clock = clock or SystemClock()
    advisor = LlmAdvisor(
        Endpoint(base_url=settings.base_url or environment.get(BASE_URL) or None, api_key=key, redactor=redactor),
        settings.model or environment[MODEL],
        clock=clock,
        log=ExchangeLog(store, clock, redactor, analysis),
        redactor=redactor,
        limits=LlmLimits(seconds=seconds),
    )
    return ChosenAdvisor(advisor, asked)


def _missing(settings: AdvisorSettings, environment: Mapping[str, str], key: str | None) -> str | None:
    """Why the endpoint cannot be asked."""
    if not (settings.base_url or environment.get(BASE_URL) or key):
        return f"no endpoint is set ({BASE_URL} or {API_KEY})"
    if not (settings.model or environment.get(MODEL)):
        return f"no model is set ({MODEL})"
    try:
        import openai  # noqa: F401
    except ImportError:
        return "the package openai is not installed (pip install 'snipbench[advisors]')"
    return None


def read_timeout(environment: Mapping[str, str], settings: AdvisorSettings = NO_SETTINGS) -> float:
    """Seconds for one piece of advice, as settings or environment say.

    Raises:
        UsageError: what they say is no number of seconds.
    """
    if settings.timeout_seconds is not None:
        return settings.timeout_seconds
    text = environment.get(TIMEOUT, "").strip()
    if not text:
        return TIMEOUT_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"{TIMEOUT} must be a number of seconds above 0, not {text!r}")
    return seconds


def read_key(environment: Mapping[str, str], settings: AdvisorSettings = NO_SETTINGS) -> str | None:
    """The endpoint's key, from the file or the variable that settings or environment name; None where there is none.

    Raises:
        UsageError: the file cannot be read.
    """
    file = settings.api_key_file or (Path(environment[API_KEY_FILE]) if environment.get(API_KEY_FILE) else None)
    if file is None:
        return environment.get(API_KEY, "").strip() or None
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the secret file {str(file)!r} ({API_KEY_FILE}): {error}") from error


def _scripted(settings: AdvisorSettings, environment: Mapping[str, str]) -> Advisor:
    from analyzer.advisors.scripted import read_script

    path = settings.script or (Path(environment[SCRIPT]) if environment.get(SCRIPT) else None)
    if path is None:
        raise UsageError(f"the advisor scripted needs a file: set {SCRIPT} to its path")
    return read_script(path)
