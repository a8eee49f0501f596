"""A canary in every credential of a served API is found nowhere: not in logs, answers, arguments, store or files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx

from orchestrator.api.tokens import new_token
from tests.e2e.conftest import command_line, environment
from tests.servers.gitlab_server import gitlab_server

from .conftest import FILES, ORDER


def test_no_credential_is_found_anywhere(tmp_path: Path) -> None:
    home, secrets = tmp_path / "home", tmp_path / "secrets"
    secrets.mkdir()
    token, entry = new_token("ci")
    (secrets / "tokens.json").write_text(json.dumps({"tokens": [entry]}))
    (secrets / "gitlab").write_text("glpat-canary-of-the-service")
    canaries = {
        "api": token,
        "gitlab": "glpat-canary-of-the-service",
        "request": "glpat-canary-of-the-request",
        "callback": "callback-canary",
        "broker": "broker-canary",
        "query": "signature-canary",
    }
    with gitlab_server(canaries["gitlab"]) as gitlab, (tmp_path / "log").open("w") as log, ExitStack() as stack:
        gitlab.files = {"order.yaml": ORDER, **FILES}
        variables = {
            "SNIPBENCH_API_TOKENS_FILE": str(secrets / "tokens.json"),
            # Nobody is there, so that no task is led; that is told without the password too.
            "SNIPBENCH_BROKER": f"redis://:{canaries['broker']}@127.0.0.1:9/0",
            "SNIPBENCH_GITLAB_URL": gitlab.url,
            "SNIPBENCH_GITLAB_TOKEN_FILE": str(secrets / "gitlab"),
            "SNIPBENCH_SOURCE_HOSTS": gitlab.host,
            "SNIPBENCH_CALLBACK_SECRET": canaries["callback"],
            "SNIPBENCH_CALLBACK_HOSTS": gitlab.host,
        }
        served = stack.enter_context(
            subprocess.Popen(
                command_line("serve", "--home", home, "--port", 0),
                env={**environment(), **variables},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        )
        stack.callback(served.kill)
        assert served.stdout is not None
        url = served.stdout.readline().split()[-1]
        seen: list[str] = []
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
            link = {"kind": "gitlab", "project": gitlab.project, "path": "order.yaml", "ref": "main"}
            wanted = {"link": link, "callback_url": f"{gitlab.url}/hook"}
            good = client.post("/orders", json=wanted)
            wrong = client.post("/orders", json={"link": link}, headers={"Snipbench-Source-Token": canaries["request"]})
            plain = {"kind": "http", "url": f"{gitlab.url}/files/order.yaml?signature={canaries['query']}"}
            fetched = client.post("/orders", json={"link": plain})
            lost = {"kind": "http", "url": f"{gitlab.url}/files/none.yaml?signature={canaries['query']}"}
            missing = client.post("/orders", json={"link": lost})
            stranger = client.get("/orders", headers={"Authorization": f"Bearer {token}x"})
            away = client.get("/readyz")
            answers = (good, wrong, fetched, missing, stranger, away)
            assert [answer.status_code for answer in answers] == [202, 422, 202, 422, 401, 503]
            for answer in (good, fetched):
                seen.append(client.get(f"/tasks/{answer.json()['task_id']}").text)
                seen.append(client.get(f"/orders/{answer.json()['order_id']}").text)
            seen += [answer.text for answer in (*answers, client.get("/metrics"))]
        seen.append(Path(f"/proc/{served.pid}/cmdline").read_text())
        os.kill(served.pid, signal.SIGTERM)
        assert served.wait(60) == 0
        seen.append(served.stdout.read())
    seen.append((tmp_path / "log").read_text())
    seen += [path.read_bytes().decode("utf-8", "replace") for path in home.rglob("*") if path.is_file()]
    for name, canary in canaries.items():
        assert all(canary not in text for text in seen), name
