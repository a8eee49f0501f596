"""compose.yaml and the image: what can be said of them without an engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from analyzer.advisors.choosing import choose_advisor
from orchestrator.cli.serve import ROLES
from orchestrator.settings import ServiceSettings, read_settings

ROOT = Path(__file__).parents[2]
OURS = ("api", "leader", "executor", "monitor", "analyzer", "initializer")
NEED_DATABASES = ("leader", "executor", "monitor")
"""Those that ask the initializer, which has to be ready first."""
ADVISOR = ("OPENAI_BASE_URL", "SNIPBENCH_ADVISOR_TIMEOUT_SECONDS")
HEALTHY = {"condition": "service_healthy"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "compose.yaml")
    return found


def test_every_service_is_confined_and_limited(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"][0] == "no-new-privileges:true", name
        assert (len(service["security_opt"]) > 1) == (name == "executor"), name
        assert name == "s3" or service["user"].partition(":")[0] not in {"0", "root", ""}, name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert "privileged" not in service, name
        sockets = [volume for volume in service.get("volumes", ()) if "docker.sock" in str(volume)]
        assert bool(sockets) == (name == "initializer"), name
        assert re.fullmatch(r"\$\{SNIPBENCH_\w*IMAGE:-[^}]+\}", service["image"]), name


def test_the_executor_may_make_the_jail_s_namespaces_and_little_else(compose: dict[str, Any]) -> None:
    _, profile, *others = compose["services"]["executor"]["security_opt"]
    assert others == ["apparmor:unconfined", "systempaths=unconfined"]
    file = profile.partition(":-")[2].rstrip("}")
    text = (ROOT / file).read_text("utf-8")
    refused = {name for rule in json.loads(text)["syscalls"] if "args" not in rule for name in rule["names"]}
    assert refused >= {"ptrace", "setns", "bpf", "keyctl", "io_uring_setup", "kexec_load", "init_module", "clone3"}
    assert not refused & {"clone", "unshare", "mount", "umount2", "pivot_root", "sethostname"}
    assert {rule["action"] for rule in json.loads(text)["syscalls"]} == {"SCMP_ACT_ERRNO"}


def test_our_services_start_after_healthy_redis_and_mongo_and_run_commands_that_are_there(
    compose: dict[str, Any],
) -> None:
    for name in OURS:
        service = compose["services"][name]
        needed = {"redis", "mongo"} | ({"initializer"} if name in NEED_DATABASES else set())
        needed |= {"executor"} if name == "monitor" else set()
        waited = service["depends_on"] | ({"executor": HEALTHY} if name == "monitor" else {})
        assert waited == dict.fromkeys(needed, HEALTHY)
        assert service["read_only"] is True
        role = service["command"][1]
        assert service["command"][0] == "serve"
        assert (role if role in ROLES else "api") == name
    for name in ("api", "initializer", "redis", "mongo"):
        assert compose["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_only_the_api_is_published_and_only_on_the_loopback_unless_told(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"api": ["${SNIPBENCH_BIND:-127.0.0.1}:${SNIPBENCH_PORT:-8000}:8000"]}
    assert compose["networks"]["inside"] == {"internal": True}
    api = compose["services"]["api"]
    assert api["environment"]["SNIPBENCH_API_TOKENS_FILE"] == "/run/secrets/api_tokens"
    assert api["secrets"] == ["api_tokens", "callback_secret", "gitlab_token"]
    private = {"callback_secret", "gitlab_token"}
    assert [name for name, one in compose["services"].items() if private & {*one.get("secrets", ())}] == ["api"]


def test_every_secret_is_declared_with_a_file_that_make_up_makes(compose: dict[str, Any]) -> None:
    script = (ROOT / "deploy" / "up").read_text("utf-8")
    used = {name for service in compose["services"].values() for name in service.get("secrets", ())}
    assert used == compose["secrets"].keys()
    for name, secret in compose["secrets"].items():
        folder, _, file = secret["file"].rpartition("/")
        assert folder == "${SNIPBENCH_SECRETS:-./deploy/secrets}", name
        assert f"keep {file}" in script, name


def test_only_the_gateway_reaches_a_language_model_and_has_its_key(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert [name for name, one in services.items() if "outside" in one["networks"]] == ["api", "gateway"]
    assert [name for name, one in services.items() if "advisor_key" in one.get("secrets", ())] == ["gateway"]
    gateway = services["gateway"]
    assert gateway["profiles"] == ["llm"]
    assert gateway["volumes"] == []
    assert gateway["command"][:2] == ["serve", "gateway"]
    assert "gateway" in ROLES
    assert gateway["environment"].keys() == {*ADVISOR, "OPENAI_API_KEY_FILE"}
    assert gateway["environment"]["OPENAI_API_KEY_FILE"] == "/run/secrets/advisor_key"
    asks = services["executor"]["environment"]
    port = gateway["command"][gateway["command"].index("--port") + 1]
    assert asks["OPENAI_BASE_URL"] == f"http://gateway:{port}/v1"
    unset = {name: re.sub(r"\$\{[^}]*\}", "", str(value)) for name, value in asks.items()}
    assert choose_advisor("llm", unset).fallback == (
        "no model is set (SNIPBENCH_ADVISOR_MODEL), so the advisor is rules instead of llm"
    )


def test_settings_read_what_compose_sets(compose: dict[str, Any], tmp_path: Path) -> None:
    settings = settings_of(compose, "leader", tmp_path, initializer_token="shared")
    assert settings.databases == "initializer"
    assert settings.initializer_token is not None
    assert settings.initializer_token.value in settings.secrets()
    assert settings.store.startswith("mongodb://mongo")
    assert settings.broker == "redis://redis:6379/0"


def test_the_api_signs_callbacks_and_has_a_gitlab_token_only_where_one_was_given(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    files = {"api_tokens": "{}", "callback_secret": "signs"}
    settings = settings_of(compose, "api", tmp_path, **files, gitlab_token="")
    assert settings.tokens_file == tmp_path / "api_tokens"
    assert settings.callback_secret is not None
    assert settings.callback_secret.value == "signs"
    assert settings.gitlab_token is None
    settings = settings_of(compose, "api", tmp_path, **files, gitlab_token="glpat-1\n")
    assert settings.gitlab_token is not None
    assert settings.secrets() == ("glpat-1", "signs")
    for name in ("SOURCE_HOSTS", "CALLBACK_HOSTS", "GITLAB_URL"):
        assert compose["services"]["api"]["environment"][f"SNIPBENCH_{name}"] == f"${{SNIPBENCH_{name}:-}}"


def settings_of(compose: dict[str, Any], service: str, folder: Path, **secrets: str) -> ServiceSettings:
    """What a service reads of its environment where no variable is set and its secrets are these."""
    assert sorted(secrets) == sorted(compose["services"][service]["secrets"])
    environment = {
        name: re.sub(r"\$\{[^}]*\}", "", str(value))
        for name, value in compose["services"][service]["environment"].items()
    }
    for name, secret in secrets.items():
        (folder / name).write_text(secret)
    read = {name: value.replace("/run/secrets", str(folder)) for name, value in environment.items()}
    return read_settings(read, folder)


def test_make_up_looks_for_workers_that_are_ready_where_they_say_so(compose: dict[str, Any], tmp_path: Path) -> None:
    for name in ("leader", "executor", "monitor", "analyzer"):
        settings = read_settings(
            {"SNIPBENCH_READY_FILE": compose["services"][name]["environment"]["SNIPBENCH_READY_FILE"]}, tmp_path
        )
        assert f"test -e {settings.ready_file}" in (ROOT / "deploy" / "up").read_text("utf-8")


def test_the_image_copies_what_is_there() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            for name in words[1:-1]:
                assert (ROOT / name).exists(), line


def test_a_new_token_s_entry_is_a_token_file(tmp_path: Path) -> None:
    from orchestrator.api.tokens import Tokens
    from orchestrator.cli.serve import serve

    made = CliRunner().invoke(serve, ["--new-token", "local", "--scopes", "read,submit"])
    assert made.exit_code == 0
    file = tmp_path / "tokens.json"
    file.write_text(made.stdout)
    token = made.stderr.split(": ")[1].strip()
    caller = Tokens.read(file).caller(token)
    assert caller is not None
    assert {scope.value for scope in caller.scopes} == {"read", "submit"}
