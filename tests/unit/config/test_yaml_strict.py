"""YAML as people write it, with the traps of plain YAML; every error says where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import Field

from smsengine.config.yaml import Document, Model, build, load
from smsengine.errors import ConfigError


class Inner(Model):
    """A section."""

    kind: str = "x"
    size: int = 1


class Outer(Model):
    """A file."""

    at: str = ""
    count: int = 0
    flag: bool = False
    inner: Inner = Field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = Field(default_factory=dict)
    aliased: int = Field(default=0, alias="from")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a file called ``file.yaml``."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "file.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refused(path: Path) -> str:
    """What is said of a file that cannot be loaded, without its folder."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def not_built(path: Path) -> list[str]:
    """What is said of a file that does not fit its model, line by line."""
    document = load(path)
    with pytest.raises(ConfigError) as caught:
        build(Outer, document)
    return str(caught.value).replace(f"{path.parent}/", "").split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "12:30",
        "8:30",
        "NO",
        "off",
        "012",
        "0x1F",
        "1e3",
        "+84912345678",
        "0912345678",
        "01E51",
        "2019-01-01",
        "null",
        ".inf",
        "1_000",
    ],
)
def test_scalars_stay_text(written: Callable[[str], Path], text: str) -> None:
    """What stands in the file is what the program gets, to the letter."""
    assert {"at": text} == load(written(f"at: {text}\n")).data


@pytest.mark.parametrize("key", ["NO", "on", "012", "2019-01-01"])
def test_keys_stay_text(written: Callable[[str], Path], key: str) -> None:
    """A key is never turned into false or a number."""
    assert {key: "x"} == load(written(f"{key}: x\n")).data


@pytest.mark.parametrize("nothing", ["", "~", "   # only a remark"])
def test_nothing_written_is_nothing(written: Callable[[str], Path], nothing: str) -> None:
    """A key without a value has no value, rather than an empty text."""
    assert {"at": None} == load(written(f"at: {nothing}\n")).data


def test_quoted_nothing_is_an_empty_text(written: Callable[[str], Path]) -> None:
    """Quotes with nothing between them are a text on purpose."""
    assert {"at": ""} == load(written('at: ""\n')).data


def test_quoted_text_keeps_its_letters(written: Callable[[str], Path]) -> None:
    """Vietnamese letters and colons survive."""
    assert {"at": "Kính gửi: Ông"} == load(written('at: "Kính gửi: Ông"\n')).data


def test_an_empty_file_is_no_crash(written: Callable[[str], Path]) -> None:
    """An empty file has no keys; what it lacks is said by its model."""
    assert {} == load(written("")).data


def test_a_byte_order_mark_is_no_part_of_the_first_key(written: Callable[[bytes], Path]) -> None:
    """A file saved by a Windows editor reads like any other."""
    assert {"at": "x"} == load(written(b"\xef\xbb\xbfat: x\n")).data


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "file.yaml:3: a: stands twice (first in line 1)."),
        ("x:\n  a: 1\n  a: 1\n", "file.yaml:3: a: stands twice (first in line 2)."),
        ("- a\n- b\n", "file.yaml:1: must be a group of 'key: value' lines."),
        ("just words\n", "file.yaml:1: must be a group of 'key: value' lines."),
        ("a: 1\nb: *other\n", "file.yaml:2: aliases (*name) are not used here; write it out."),
        ("a: &x 1\nb: *x\n", "file.yaml:2: aliases (*name) are not used here; write it out."),
        ("a: 1\nb: !Env X\n", "file.yaml:2: the tag !Env is not used here; write plain text."),
        ("b: !!int 12\n", "file.yaml:1: the tag !!int is not used here; write plain text."),
        ("b: !x {a: 1}\n", "file.yaml:1: the tag !x is not used here; write plain text."),
        ("b: !!set [a]\n", "file.yaml:1: the tag !!set is not used here; write plain text."),
        ("a: 1\n? [b, c]\n: 2\n", "file.yaml:2: a key must be one plain word."),
        ("a: 1\n<<: {b: 2}\n", "file.yaml:2: a key must be one plain word."),
    ],
)
def test_what_is_not_plain_yaml_is_refused(
    written: Callable[[str], Path], content: str, said: str
) -> None:
    """Doubled keys, lists at the top, aliases, tags and odd keys are refused with their line."""
    assert said == refused(written(content))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a:\n\tb: 1\n", 2),
        ("a: 1\nb: [1, 2\n", 3),
        ("a: 'x\n", 2),
        ("a: b: c\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: x\nb: @z\n", 2),
    ],
)
def test_broken_yaml_names_its_line(
    written: Callable[[str], Path], content: str, line: int
) -> None:
    """A tab, an open bracket or quote, a second document: the sentence names file and line."""
    assert refused(written(content)).startswith(f"file.yaml:{line}: not readable as YAML: ")


def test_what_is_not_utf8_is_refused(written: Callable[[bytes], Path]) -> None:
    """A file in an old Vietnamese charset is refused, with the place."""
    assert "file.yaml: is not UTF-8 at byte 4; save it as UTF-8." == refused(
        written(b"at: \xb5\xe8\n")
    )


def test_control_characters_are_refused(written: Callable[[bytes], Path]) -> None:
    """A byte that YAML does not allow is a sentence, not a traceback."""
    assert "file.yaml: holds a character that YAML does not allow." == refused(
        written(b"at: a\x00b\n")
    )


def test_deep_nesting_is_refused(written: Callable[[str], Path]) -> None:
    """A file that is nested beyond reading is a sentence, not a traceback."""
    expected = "file.yaml:1: is nested too deeply."
    assert expected == refused(written("a: " + "[" * 1000 + "]" * 1000))
    assert expected == refused(written("[" * 200_000))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named."""
    assert "none.yaml: cannot be read (No such file or directory)." == refused(
        tmp_path / "none.yaml"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "at: x\ntoken: y\n",
            "file.yaml:2: token: is not a known key; the keys here are:"
            " at, count, flag, from, inner, named, several.",
        ),
        (
            "inner:\n  kind: x\n  sise: 2\n",
            "file.yaml:3: inner.sise: is not a known key; the keys here are: kind, size.",
        ),
        (
            "several:\n- kind: x\n- kin: x\n",
            "file.yaml:3: several.1.kin: is not a known key; the keys here are: kind, size.",
        ),
        (
            "named:\n  a:\n    kin: x\n",
            "file.yaml:3: named.a.kin: is not a known key; the keys here are: kind, size.",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_known_ones(
    written: Callable[[str], Path], content: str, said: str
) -> None:
    """A slip in a key is shown together with the keys there are, wherever it stands."""
    assert [said] == not_built(written(content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("count: many\n", "file.yaml:1: count: is 'many'; "),
        ("at: x\ncount: 012x\n", "file.yaml:2: count: is '012x'; "),
        ("flag: perhaps\n", "file.yaml:1: flag: is 'perhaps'; "),
        ("from: x\n", "file.yaml:1: from: is 'x'; "),
        ("inner: x\n", "file.yaml:1: inner: must be a group of 'key: value' lines."),
        ("inner:\n", "file.yaml:1: inner: must be a group of 'key: value' lines."),
        ("inner:\n- kind: x\n", "file.yaml:1: inner: must be a group of 'key: value' lines."),
        ("several: x\n", "file.yaml:1: several: must be a list."),
        ("at:\n", "file.yaml:1: at: is empty; write a value."),
        ("named: 5\n", "file.yaml:1: named: must be a group of 'key: value' lines."),
        ("inner:\n  kind: x\n  size: [1]\n", "file.yaml:3: inner.size: is ['1']; "),
    ],
)
def test_a_wrong_type_names_place_and_value(
    written: Callable[[str], Path], content: str, said: str
) -> None:
    """A value of the wrong kind is shown with file, line and key."""
    (line,) = not_built(written(content))
    assert line.startswith(said)


def test_several_errors_come_at_once(written: Callable[[str], Path]) -> None:
    """Somebody who mends a file sees everything that is wrong with it."""
    said = not_built(written("count: many\nflag: perhaps\ntoken: x\n"))
    assert ["file.yaml:1: count", "file.yaml:2: flag", "file.yaml:3: token"] == [
        ":".join(line.split(":")[:3]) for line in said
    ]


def test_what_is_missing_is_told_at_its_section(written: Callable[[str], Path]) -> None:
    """A missing key has no line of its own; the line of its section is named."""

    class Strict(Model):
        inner: Missing

    path = written("\n\ninner:\n  other: 1\n")
    with pytest.raises(ConfigError, match=r"file\.yaml:3: inner\.needed: is missing\."):
        build(Strict, load(path))


class Missing(Model):
    """A section with a key that must be there."""

    needed: str
    other: str


def test_errors_of_a_section_keep_their_place(written: Callable[[str], Path]) -> None:
    """A section that is checked apart, by its gateway, still names its own lines."""
    document: Document = load(written("gateways:\n  trial:\n    size: x\n"))
    with pytest.raises(ConfigError, match=r"file\.yaml:3: gateways\.trial\.size: is 'x'"):
        build(Inner, document, data={"size": "x"}, at=("gateways", "trial"))


def test_a_giant_file_is_refused(written: Callable[[str], Path]) -> None:
    """Before anybody looks into it."""
    assert "file.yaml: is longer than 250000 characters." == refused(written("a: " + "x" * 250_000))
