"""Whatever an office's files hold, the answer is a sentence, soon, and a short one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smsengine.errors import ConfigError, RowError
from smsengine.planning.templates import MAX_CHARACTERS, MessageTemplate
from smsengine.service.bootstrap import Engine
from smsengine.service.inspection import bad, inspect
from tests.unit.service.bureau import CONFIG, JOB, WORDS, Bureau

FUZZ = settings(
    max_examples=60,
    deadline=2_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NAMES = ("name", "code", "period", "self", "__class__", "cycler", "range", "loop")
PIECES = (
    *(f"{{{{ {name} }}}}" for name in NAMES),
    "{{ name + name }}",
    "{{ name * 9999999 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'x' * 99999999 }}",
    "{% set a = name + name %}",
    "{% set a = a + a %}{{ a }}",
    "{% for i in range(99999999) %}x{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}",
    "{% include '../../config.yaml' %}",
    "{{ name.__class__.__mro__[1].__subclasses__() }}",
    "{{ period.month.__class__ }}",
    "{{ ''|attr('__class__') }}",
    "{{ name|upper|trim }}",
    "{{ name",
    "{%",
    "{# ",
    "%}",
    "{% if name %}",
    "{% else %}",
    "{% endif %}",
    "(" * 300,
    "{{ " + "(" * 300,
    "BHXH kính gửi ",
    "http://ví-dụ.com ",
    "0912345678",
    "\n",
)
TEMPLATES = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(max_size=80),
    st.tuples(st.sampled_from(PIECES), st.text(max_size=20)).map("".join),
)
LINES = JOB.splitlines(keepends=True)
YAML_PIECES = ("[" * 90, "{a: " * 90, "- " * 90, "&a [*a]", "!!python/object:os.system x", "\t")


@st.composite
def changed_jobs(draw: st.DrawFn) -> bytes:
    """A good job of which a few lines are gone, doubled, or something else."""
    lines = [line.encode() for line in LINES]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        other = st.one_of(
            st.binary(max_size=30),
            st.sampled_from(YAML_PIECES).map(str.encode),
            st.sampled_from(lines),
            st.just(b""),
            st.text(max_size=30).map(lambda text: f"title: {text}\n".encode(errors="replace")),
        )
        lines[at : at + draw(st.integers(0, 1))] = [draw(other)]
    return b"".join(lines)


@pytest.fixture
def bureau(installation: Callable[..., Engine]) -> Bureau:
    made = Bureau(installation(config=CONFIG.format(database="sqlite:///ledger.db")))
    made.write()
    return made


def answers(bureau: Bureau, path: Path) -> list[str]:
    """What is said about a notice in both languages."""
    found = inspect(bureau.engine, bureau.engine.catalogue(), path).findings
    return [each.sentence(language) for each in bad(found) for language in ("vi", "en")]


def rendered(words: str) -> str:
    """The text of a template for one row, or the sentence that refuses it."""
    try:
        template = MessageTemplate(words, "mẫu.j2")
        return template.render({"name": "Ví dụ" * 10, "code": "A1", "a": "b"})
    except (ConfigError, RowError) as error:
        return str(error)


@FUZZ
@given(words=TEMPLATES)
@example(words="{% set a = name + name %}" + "{% set a = a + a %}" * 200 + "{{ a }}")
@example(words="{{ name }}" * 900)
@example(words="x" * 200_000)
@example(words="{{ " + "-" * 9_000 + "1 }}")
def test_a_template_is_refused_or_gives_a_bounded_text(words: str) -> None:
    """No exception but our own, and no text beyond the limit."""
    assert 0 <= len(rendered(words)) <= MAX_CHARACTERS


@FUZZ
@given(content=st.one_of(changed_jobs(), st.binary(max_size=200)))
@example(content=b"[" * 200_000)
@example(content=b"title: " + b"x" * 300_000)
@example(content=b"a: &a [x]\nb: [*a, *a]")
@example(content=b"\xff\xfe\x00")
def test_a_job_file_is_refused_or_taken(bureau: Bureau, content: bytes) -> None:
    """Each finding is one short sentence that names the file."""
    bureau.job.write_bytes(content)
    for sentence in answers(bureau, bureau.job):
        assert "\n" not in sentence
        assert str(bureau.job.parent.parent.name) in sentence
        assert len(sentence) < 3_000


@FUZZ
@given(words=TEMPLATES)
@example(words=WORDS)
@example(words="{{ period }}")
def test_words_are_looked_at_without_a_traceback(bureau: Bureau, words: str) -> None:
    """The whole inspection: links, numbers, golden rows, likeness."""
    bureau.template.write_bytes(words.encode(errors="replace"))
    said = answers(bureau, bureau.job)
    assert all(0 < len(each) < 3_000 for each in said)
    assert words != WORDS or not said
