"""Secrets are named in YAML, kept elsewhere, and shown nowhere."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from smsengine.config.secret import Secret, SecretField, is_reference, resolve
from smsengine.config.yaml import Model, build, load
from smsengine.errors import ConfigError

HIDDEN = "geheim-4711"


class Account(Model):
    """A section with a secret, as a gateway has one."""

    token: SecretField
    user: str


@pytest.fixture(autouse=True)
def in_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One secret in the environment, one among systemd's credentials."""
    monkeypatch.setenv("SMS_TOKEN", HIDDEN)
    monkeypatch.setenv("SMS_EMPTY", "")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "token").write_text(HIDDEN + "\n", encoding="utf-8")
    (tmp_path / "token.txt").write_text(f"  {HIDDEN}\n\n", encoding="utf-8")


@pytest.mark.parametrize("reference", ["${SMS_TOKEN}", "file:token.txt", "credential:token"])
def test_a_secret_is_fetched_from_where_it_is_kept(tmp_path: Path, reference: str) -> None:
    """Environment, file and credential give the value without the end of the line."""
    assert HIDDEN == resolve(reference, tmp_path).reveal()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("${SMS_NONE}", "the environment variable SMS_NONE is not set"),
        ("${SMS_EMPTY}", "the environment variable SMS_EMPTY is not set"),
        ("file:none.txt", "none.txt cannot be read"),
        ("file:empty.txt", "empty.txt is empty"),
        ("file:binary.txt", "binary.txt cannot be read"),
        ("credential:none", "none cannot be read"),
        (HIDDEN, "a secret must not stand here"),
        ("$SMS_TOKEN", "a secret must not stand here"),
        ("${SMS_TOKEN}x", "a secret must not stand here"),
        ("http://x", "a secret must not stand here"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, reference: str, said: str) -> None:
    """Each kind of reference that leads nowhere has its own sentence."""
    (tmp_path / "empty.txt").write_text(" \n", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xb5")
    with pytest.raises(ValueError, match=said):
        resolve(reference, tmp_path)


@pytest.mark.parametrize("reference", [HIDDEN, "${SMS_TOKEN}x", f"password:{HIDDEN}"])
def test_a_literal_secret_is_not_repeated(tmp_path: Path, reference: str) -> None:
    """Somebody who wrote the secret itself into the file does not find it in the error."""
    with pytest.raises(ValueError, match="must not stand here") as caught:
        resolve(reference, tmp_path)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("shown", [repr, str, "{}".format, lambda secret: f"{secret!r:>20}"])
def test_a_secret_does_not_show_itself(shown: object) -> None:
    """Printing, formatting and repr show stars."""
    assert HIDDEN not in shown(Secret(HIDDEN))  # type: ignore[operator]


def test_a_model_does_not_show_its_secret(tmp_path: Path) -> None:
    """A settings object in a traceback or a log shows stars."""
    account = Account.model_validate({"token": "${SMS_TOKEN}", "user": "u"})
    assert "user='u'" in repr(account)
    assert HIDDEN not in repr(account)


def test_a_dumped_model_does_not_show_its_secret(tmp_path: Path) -> None:
    """Settings written out as text hold stars."""
    account = Account.model_validate({"token": "${SMS_TOKEN}", "user": "u"})
    assert HIDDEN not in str(account.model_dump())


def test_a_log_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    """A secret given to a log line shows stars."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("account %s %r", Secret(HIDDEN), Secret(HIDDEN))
    assert HIDDEN not in caplog.text


def test_secrets_are_not_compared_by_accident() -> None:
    """Two secrets are never equal, so none is found out by comparing."""
    assert Secret(HIDDEN) != Secret(HIDDEN)


@pytest.mark.parametrize("token", [HIDDEN, f"[{HIDDEN}]", f"{{a: {HIDDEN}}}", "", "${SMS_NONE}"])
def test_errors_about_a_secret_do_not_show_it(tmp_path: Path, token: str) -> None:
    """A wrong secret is told with file, line and key, and without its value."""
    path = tmp_path / "config.yaml"
    path.write_text(f"user: u\ntoken: {token}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml:2: token: ") as caught:
        build(Account, load(path), context={"folder": tmp_path})
    assert HIDDEN not in str(caught.value)


def test_an_error_beside_a_secret_does_not_show_it(tmp_path: Path) -> None:
    """Another wrong key of the same section does not bring the secret to light."""
    path = tmp_path / "config.yaml"
    path.write_text(f"token: {HIDDEN}\nuser: [u]\nsecret: {HIDDEN}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        build(Account, load(path))
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${NAME}", True),
        ("file:x", True),
        ("credential:x", True),
        ("sqlite:///x.db", False),
        ("${NAME}/x", False),
        ("x ${NAME}", False),
    ],
)
def test_is_reference(text: str, *, expected: bool) -> None:
    """What names a secret is told from what is a value."""
    assert expected == is_reference(text)
