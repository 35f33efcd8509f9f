"""``config.yaml`` as people write it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from smsengine.config.settings import Settings, load_settings
from smsengine.errors import ConfigError

GATEWAY = """\
gateways:
  trial:
    kind: file
    path: out.jsonl
    prices:
      - {from: 2019-01-01, per_segment: 850}
      - {from: 2021-07-01, per_segment: 500}
      - {from: 2020-01-01, per_segment: 800}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], Settings]:
    """Write a configuration and read it."""

    def read(content: str) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_text(content, encoding="utf-8")
        return load_settings(path)[0]

    return read


def refused(loaded: Callable[[str], Settings], content: str) -> str:
    """What is said of a configuration that is wrong, without its folder."""
    with pytest.raises(ConfigError) as caught:
        loaded(content)
    return "\n".join(line.rpartition("/config.yaml:")[2] for line in str(caught.value).split("\n"))


@pytest.mark.parametrize(
    ("day", "price"),
    [
        (date(2019, 1, 1), 850),
        (date(2019, 12, 31), 850),
        (date(2020, 1, 1), 800),
        (date(2021, 6, 30), 800),
        (date(2021, 7, 1), 500),
        (date(2026, 11, 21), 500),
    ],
)
def test_the_price_in_force(loaded: Callable[[str], Settings], day: date, price: int) -> None:
    """The latest price that has begun counts, in whatever order the contract's prices stand."""
    assert price == loaded(GATEWAY).gateways["trial"].price_on(day)


def test_no_price_yet_is_refused(loaded: Callable[[str], Settings]) -> None:
    """Nothing is sent on a day for which the contract names no price."""
    gateway = loaded(GATEWAY).gateways["trial"]
    with pytest.raises(ConfigError, match="No price of this gateway is in force on 2018-12-31"):
        gateway.price_on(date(2018, 12, 31))


@pytest.mark.parametrize("name", ["data", "jobs", "templates"])
def test_folders_start_at_the_file(
    loaded: Callable[[str], Settings], tmp_path: Path, name: str
) -> None:
    """Where the command is started makes no difference."""
    assert tmp_path / "here" == getattr(loaded(f"{name}: here\n{GATEWAY}"), name)


def test_the_ledger_starts_at_the_file(loaded: Callable[[str], Settings], tmp_path: Path) -> None:
    """A relative SQLite file is one file, wherever the command is started."""
    assert f"sqlite:///{tmp_path}/a.db" == loaded(f"database: sqlite:///a.db\n{GATEWAY}").database


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/a.db", "sqlite://", "postgresql+psycopg://db.example/ledger"]
)
def test_other_databases_stay_as_they_are(loaded: Callable[[str], Settings], url: str) -> None:
    """An absolute file, a database in memory and a server are not touched."""
    assert url == loaded(f"database: {url}\n{GATEWAY}").database


def test_a_password_survives_reading(loaded: Callable[[str], Settings]) -> None:
    """Joining paths never hides the password from the database itself."""
    url = "postgresql+psycopg://smsengine:pass@db.example/ledger"
    assert url == loaded(f"database: {url}\n{GATEWAY}").database


def test_own_keys_of_a_gateway_are_kept(loaded: Callable[[str], Settings]) -> None:
    """Keys that belong to the gateway's kind reach it unchanged."""
    gateway = loaded(GATEWAY + "    sender: '0123'\n").gateways["trial"]
    assert {"path": "out.jsonl", "sender": "0123"} == gateway.options


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "1: gateways: is missing."),
        ("gateways: {}\n", "1: gateways: is "),
        ("gateways:\n  a:\n    kind: file\n", "2: gateways.a.prices: is missing."),
        ("gateways:\n  a:\n    kind: file\n    prices: []\n", "4: gateways.a.prices: is "),
        (GATEWAY.replace("kind: file", "kind:"), "3: gateways.trial.kind: is empty; "),
        (GATEWAY.replace("2021-07-01", "01/07/2021"), "7: gateways.trial.prices.1.from: is "),
        (GATEWAY.replace("500}", "-5}"), "7: gateways.trial.prices.1.per_segment: is '-5'; "),
        (GATEWAY.replace("500}", "1.5}"), "7: gateways.trial.prices.1.per_segment: is '1.5'; "),
        (GATEWAY + "    batch: 0\n", "9: gateways.trial.batch: is '0'; "),
        (GATEWAY + "console: 5\n", "9: console: is not a known key; the keys here are: alerts, "),
        (f"database: here\n{GATEWAY}", "1: database: must be a URL such as sqlite:///"),
    ],
)
def test_wrong_settings_name_their_place(
    loaded: Callable[[str], Settings], content: str, said: str
) -> None:
    """Every error says line and key."""
    assert refused(loaded, content).startswith(said)


def test_a_wrong_price_key_is_answered_with_the_known_ones(
    loaded: Callable[[str], Settings],
) -> None:
    """A slip in a list of a mapping is shown with the keys there are."""
    assert (
        "6: gateways.trial.prices.0.per_sms: is not a known key;"
        " the keys here are: from, networks, per_segment."
        in refused(loaded, GATEWAY.replace("per_segment: 850", "per_sms: 850"))
    )


@pytest.mark.parametrize("name", ["csv", "json", "facility", "sql"])
def test_a_gateway_may_be_called_like_a_kind(loaded: Callable[[str], Settings], name: str) -> None:
    """An error in a section called csv still names that section."""
    content = GATEWAY.replace("trial", name).replace("kind: file", "kind: file\n    batch: x")
    assert refused(loaded, content).startswith(f"4: gateways.{name}.batch: is 'x'; ")


def test_a_network_s_name_fits_into_the_ledger(loaded: Callable[[str], Settings]) -> None:
    """A name that no message could carry is refused before anything is planned."""
    longest = loaded(f"phones: {{extra_prefixes: {{'053': {'n' * 20}}}}}\n{GATEWAY}")
    said = refused(loaded, f"phones: {{extra_prefixes: {{'053': {'n' * 21}}}}}\n{GATEWAY}")
    assert ("n" * 20, True) == (
        longest.phones.extra_prefixes["053"],
        said.startswith("1: phones.extra_prefixes.053: "),
    )


def test_several_errors_come_at_once(loaded: Callable[[str], Settings]) -> None:
    """Everything that is wrong is said in one go, each with its line."""
    said = refused(loaded, "database: here\n" + GATEWAY.replace("850", "x") + "nope: 1\n")
    assert [1, 7, 10] == [int(line.partition(":")[0]) for line in said.split("\n")]


@pytest.mark.parametrize("url", ["postgresql//u:geheim@h/db", "postgresql://u:p@h:geheim/db"])
def test_a_wrong_url_is_not_repeated(loaded: Callable[[str], Settings], url: str) -> None:
    """A database URL with a slip in it may hold a password and is not shown."""
    assert "geheim" not in refused(loaded, f"database: {url}\n{GATEWAY}")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """Started in the wrong folder, the command says how to name the configuration."""
    with pytest.raises(ConfigError, match="name the configuration with --config"):
        load_settings(tmp_path / "config.yaml")


def test_settings_cannot_be_changed(loaded: Callable[[str], Settings]) -> None:
    """What was read from the file stays what it was."""
    settings = loaded(GATEWAY)
    with pytest.raises(ValueError, match="frozen"):
        settings.database = "sqlite://"


def test_the_shipped_configuration_is_right() -> None:
    """The configuration that the project ships can be read."""
    settings, _document = load_settings(Path(__file__).parents[3] / "config.yaml")
    assert {"simulated", "file"} == settings.gateways.keys()
