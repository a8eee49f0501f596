"""Secrets are taken out of what is sent or kept, and nothing else is."""

from __future__ import annotations

import pytest

from snipbench.redaction import HIDDEN, Redactor, secret_values

VALUE = "hunter2'hunter2"


@pytest.mark.parametrize("form", [VALUE, repr(VALUE), VALUE.replace("'", "\\'")])
def test_a_known_value_goes_in_every_form(form: str) -> None:
    assert "hunter2" not in Redactor([VALUE]).values(f"it is {form}, yes")


@pytest.mark.parametrize(
    "code",
    [
        'API_TOKEN = "sesame"',
        'password: str = "sesame"',
        "connect(password='sesame', user='u')",
        '{"api_key": "sesame"}',
        'SECRET = """one\nsesame"""',
        'option("password", "sesame")',
        'conf.set("fs.s3a.secret.key", "sesame")',
        'URL = "postgresql://me:sesame@host/db"',
        'headers = {"x": "Bearer sesame-sesame"}',
        'x["password"] = r"sesame"',
        'PASSWORD = ("sesame")',
    ],
)
def test_a_literal_behind_a_secret_like_name_goes(code: str) -> None:
    shown = Redactor().code(code)
    assert "sesame" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "code",
    [
        "tokens = line.split(' ')",
        "def tokenize(text):\n    return text.split('a')",
        "x = os.environ['TOKEN']",
        "keys = {'a': 1}",
        "primary_key = 'id'",
    ],
)
def test_code_without_a_secret_stays_as_it_is(code: str) -> None:
    assert Redactor().code(code) == code


def test_a_document_keeps_its_shape_and_its_numbers() -> None:
    document = {"usage": {"total_tokens": 3}, "api_key": "sesame", "list": ['password = "sesame"', None, True]}
    assert Redactor().document(document) == {
        "usage": {"total_tokens": 3},
        "api_key": HIDDEN,
        "list": [f'password = "{HIDDEN}"', None, True],
    }


def test_values_of_secret_like_variables_are_secrets_unless_very_short() -> None:
    environment = {"PGPASSWORD": "sesame", "MY_TOKEN": "a", "HOME": "/home/me", "PWD": "/home/me/work"}
    assert secret_values(environment) == ("sesame",)
