"""The ways by which people are told: real mail and HTTP servers, kind and unkind."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smsengine.config.alerts import AlertSettings
from smsengine.config.secret import Secret
from smsengine.errors import ConfigError
from smsengine.lifecycle import Grade
from smsengine.service.channels import (
    Channel,
    Letter,
    Log,
    check_channels,
    open_channels,
    ping,
    ping_url,
)
from tests.conftest import START
from tests.unit.service.listeners import (
    PASSWORD,
    USER,
    HookBook,
    MailBook,
    certificate,
    hook_server,
    mail_server,
)

LETTER = Letter(
    grade=Grade.URGENT,
    subject="URGENT: Cổng gửi tin từ chối tài khoản",
    text="Cổng gửi tin từ chối tài khoản.\n\nLàm ngay: smsengine gateways list",
    at=START,
    keys=("lane paused viettel",),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("certificate"))


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def mail(port: int, folder: Path = Path(), **changes: Any) -> Channel:
    keys: dict[str, Any] = {
        "host": "localhost",
        "port": port,
        "security": "none",
        "sender": "smsengine@example.vn",
        "to": ["truc@example.vn", "vanhanh@example.vn"],
    }
    alerts = AlertSettings.model_validate({"name": "Thông báo", "smtp": keys | changes})
    return open_channels(alerts, folder)[0]


def secret_mail(book: MailBook, pair: tuple[Path, Path], password: str = PASSWORD) -> Channel:
    """Mail with STARTTLS and a password, which stands in a file beside the certificate."""
    (pair[0].parent / "password").write_text(password, encoding="utf-8")
    return mail(
        book.port,
        pair[0].parent,
        security="starttls",
        ca="mail.pem",
        user=USER,
        password="file:password",
    )


# -- mail ------------------------------------------------------------------------------------------


def test_a_mail_says_who_what_and_how_urgent() -> None:
    """Subject and text are Vietnamese, byte for byte."""
    with mail_server() as book:
        assert "" == mail(book.port).tell(LETTER)
    found = book.mails[0]
    assert "[Thông báo] URGENT: Cổng gửi tin từ chối tài khoản" == found["Subject"]
    assert LETTER.text + "\n" == found.get_content().replace("\r\n", "\n")
    assert ("smsengine@example.vn", "high") == (found["From"], found["Importance"])
    assert "auto-generated" == found["Auto-Submitted"]
    assert [["truc@example.vn", "vanhanh@example.vn"]] == book.sent_to


def test_a_mail_that_can_wait_is_not_marked_as_important() -> None:
    """Else nothing is."""
    with mail_server() as book:
        mail(book.port).tell(replace(LETTER, grade=Grade.WARNING))
    assert book.mails[0]["Importance"] is None


def test_with_starttls_the_password_and_the_mail_are_secret(pair: tuple[Path, Path]) -> None:
    """The server's certificate is proved by the file that the configuration names."""
    with mail_server(pair=pair, needs_login=True) as book:
        assert "" == secret_mail(book, pair).tell(LETTER)
    assert ([True], [USER]) == (book.was_secret, book.users)


def test_a_server_whose_certificate_proves_nothing_gets_no_password(
    pair: tuple[Path, Path],
) -> None:
    """Somebody else may listen there."""
    with mail_server(pair=pair, needs_login=True) as book:
        (pair[0].parent / "password").write_text(PASSWORD, encoding="utf-8")
        way = mail(
            book.port,
            pair[0].parent,
            security="starttls",
            user=USER,
            password="file:password",
        )
        assert "certificate verify failed" in way.tell(LETTER)
    assert ([], []) == (book.users, book.mails)


def test_a_server_without_starttls_gets_nothing(pair: tuple[Path, Path]) -> None:
    """What was asked for as secret does not leave readable."""
    with mail_server() as book:
        assert "STARTTLS" in secret_mail(book, pair).tell(LETTER)
    assert [] == book.mails


def test_a_wrong_password_is_said_and_not_shown(pair: tuple[Path, Path]) -> None:
    """The sentence goes into the log."""
    with mail_server(pair=pair, needs_login=True) as book:
        said = secret_mail(book, pair, "a wrong password").tell(LETTER)
    assert "535" in said
    assert "a wrong password" not in said


def test_a_refused_address_does_not_keep_the_others_from_being_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody left the office, and the others are still told; the log says who was refused."""
    with mail_server() as book:
        book.refused.add("truc@example.vn")
        assert "" == mail(book.port).tell(LETTER)
    assert [["vanhanh@example.vn"]] == book.sent_to
    assert "refused truc@example.vn: 550 5.1.1 no such mailbox" in caplog.text


def test_when_all_addresses_are_refused_nobody_was_told() -> None:
    """Then the alarm is told again."""
    with mail_server() as book:
        book.refused |= {"truc@example.vn", "vanhanh@example.vn"}
        said = mail(book.port).tell(LETTER)
    assert "truc@example.vn (550 5.1.1 no such mailbox)" in said


def test_a_mail_that_the_server_does_not_take_was_not_told() -> None:
    """A full disk over there is said in its words."""
    with mail_server() as book:
        book.instead = "452 4.3.1 Insufficient storage"
        said = mail(book.port).tell(LETTER)
    assert "The mail server localhost took nothing: 452 4.3.1 Insufficient storage" == said


def test_a_mail_server_that_is_away_is_said() -> None:
    """Nothing is raised."""
    assert "Connection refused" in mail(unused_port()).tell(LETTER)


# -- webhook ---------------------------------------------------------------------------------------


def hook(book: HookBook | None, folder: Path, **changes: Any) -> Channel:
    (folder / "url").write_text(book.url + "/hook?token=secret" if book else "http://127.0.0.1:1/")
    (folder / "token").write_text("Bearer secret")
    keys = {"url": "file:url", "headers": {"Authorization": "file:token", "X-Room": "7"}}
    alerts = AlertSettings.model_validate({"name": "Thông báo", "webhook": keys | changes})
    return open_channels(alerts, folder)[0]


def test_a_webhook_gets_json_and_its_headers(tmp_path: Path) -> None:
    """A program can tell alarms apart by their keys, and installations by their names."""
    with hook_server() as book:
        assert "" == hook(book, tmp_path).tell(LETTER)
    assert ["POST /hook?token=secret"] == book.asked
    assert ("Bearer secret", "7") == (book.headers[0]["Authorization"], book.headers[0]["X-Room"])
    assert {
        "installation": "Thông báo",
        "grade": "urgent",
        "text": LETTER.text,
        "at": "2019-06-01T01:00:00+00:00",
        "key": "lane paused viettel",
        "keys": ["lane paused viettel"],
    } == book.bodies[0]


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_any_other_answer_means_that_nobody_was_told(tmp_path: Path, status: int) -> None:
    """A page that moved has taken nothing; and the URL, which is secret, is not said."""
    with hook_server() as book:
        book.status = status
        said = hook(book, tmp_path).tell(LETTER)
    assert f"The webhook answered {status}." == said
    assert 1 == len(book.asked)


def test_a_webhook_that_is_away_is_said_without_its_url(tmp_path: Path) -> None:
    """Nothing is raised, and nothing secret stands in the log."""
    said = hook(None, tmp_path).tell(LETTER)
    assert "The webhook cannot be reached (ConnectionError)." == said


# -- ping ------------------------------------------------------------------------------------------


def test_a_ping_is_a_get() -> None:
    """As the services of this kind want it."""
    with hook_server() as book:
        assert "" == ping(Secret(book.url + "/uuid"))
        book.status = 500
        assert "The ping answered 500." == ping(Secret(book.url + "/uuid"))
    assert ["GET /uuid", "GET /uuid"] == book.asked


def test_a_ping_that_nobody_hears_raises_nothing() -> None:
    """Its URL is a secret."""
    said = ping(Secret(f"http://127.0.0.1:{unused_port()}/uuid"))
    assert "The ping cannot be reached (ConnectionError)." == said
    assert "cannot be reached" in ping(Secret("not a URL"))


# -- opening ---------------------------------------------------------------------------------------


def test_without_a_way_there_is_the_log(tmp_path: Path) -> None:
    """An alarm is somewhere in any case."""
    assert [Log] == [type(way) for way in open_channels(AlertSettings(), tmp_path)]
    assert ping_url(AlertSettings(), tmp_path) is None


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"smtp": {"user": "u", "password": "${NO_SUCH_PASSWORD}"}},
            "alerts.smtp.password: the environment variable NO_SUCH_PASSWORD is not set.",
        ),
        ({"smtp": {"ca": "none.pem"}}, "alerts.smtp.ca: the file"),
        ({"webhook": {"url": "file:none"}}, "alerts.webhook.url: the secret's file"),
        (
            {"webhook": {"url": "http://127.0.0.1", "headers": {"X-Key": "file:none"}}},
            "alerts.webhook.headers.X-Key: the secret's file",
        ),
    ],
)
def test_a_secret_that_is_not_there_is_named(
    tmp_path: Path, keys: dict[str, Any], said: str
) -> None:
    """It is found when the daemon starts, not in the night in which it is needed."""
    base = {"host": "localhost", "sender": "a@example.vn", "to": ["b@example.vn"]}
    if "smtp" in keys:
        keys = {"smtp": base | keys["smtp"]}
    with pytest.raises(ConfigError) as error:
        open_channels(AlertSettings.model_validate(keys), tmp_path)
    assert said in str(error.value)


def test_all_ways_are_opened(tmp_path: Path) -> None:
    """Who sets up two is told by two."""
    smtp = {"host": "localhost", "sender": "a@example.vn", "to": ["b@example.vn"]}
    keys = {"smtp": smtp, "webhook": {"url": "http://127.0.0.1"}}
    assert 2 == len(open_channels(AlertSettings.model_validate(keys), tmp_path))


# -- looking without telling -----------------------------------------------------------------------


def test_doctor_logs_in_and_sends_nothing(pair: tuple[Path, Path]) -> None:
    """A password that has expired is found before the night in which it is needed."""
    with mail_server(pair=pair, needs_login=True) as book:
        assert "mail through localhost" == secret_mail(book, pair).check()
        with pytest.raises(ConfigError, match=r"localhost cannot be used: 535 .*alerts\.smtp"):
            secret_mail(book, pair, "an old password").check()
    assert ([USER], []) == (book.users, book.mails)


def test_doctor_says_who_would_be_told(tmp_path: Path) -> None:
    """A webhook cannot be tried without telling somebody; a secret of the ping must be there."""
    assert "only the log is told" in check_channels(AlertSettings(), tmp_path)
    keys: dict[str, Any] = {"webhook": {"url": "http://127.0.0.1"}}
    found = check_channels(AlertSettings.model_validate(keys), tmp_path)
    assert "a webhook, not tried" == found
    keys["ping"] = {"url": "file:none"}
    with pytest.raises(ConfigError, match=r"alerts\.ping\.url"):
        check_channels(AlertSettings.model_validate(keys), tmp_path)
