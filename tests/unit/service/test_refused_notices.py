"""What an office may not hand in: a file's content, and the sentence that refuses it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smsengine.governance.findings import Weight
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import check_job
from smsengine.service.inspection import bad, inspect
from tests.unit.service.bureau import CONFIG, JOB, WORDS, Bureau

FILE = "dossier.yaml"
WORDS_FILE = "dossier.j2"


@pytest.fixture
def bureau(installation: Callable[..., Engine]) -> Bureau:
    made = Bureau(installation(config=CONFIG.format(database="sqlite:///ledger.db")))
    made.write()
    return made


def said(bureau: Bureau) -> list[tuple[str, str, str, str, str]]:
    """Rule, weight, file with line, Vietnamese, English."""
    found = bad(inspect(bureau.engine, bureau.engine.catalogue(), bureau.job).findings)
    return [
        (
            each.rule,
            str(each.weight),
            f"{each.file.rsplit('/', 1)[-1]}:{each.line}",
            f"{each.what.vi} {each.mend.vi}".strip(),
            f"{each.what.en} {each.mend.en}".strip(),
        )
        for each in found
    ]


def test_a_good_notice_has_nothing_against_it(bureau: Bureau) -> None:
    """The golden row is shown, with what it would cost."""
    found = inspect(bureau.engine, bureau.engine.catalogue(), bureau.job)
    assert [] == bad(found.findings)
    assert [("longest", 1, {"": 850})] == [
        (str(each.case), each.segments, each.cost) for each in found.golden
    ]


SMALL_VI = "Mẫu không được dùng '{}'; chỉ dùng chữ, {{{{ giá trị }}}}, bộ lọc và {{% if %}}."
SMALL_EN = (
    "'{}' is not allowed in a message template; use text, {{{{ values }}}}, filters and {{% if %}}."
)
ALLOW_VI = "Bỏ đi, hoặc đề nghị Trung tâm cho phép (đang cho phép: -)."
ALLOW_EN = "Take it out, or ask the Centre to allow it (allowed: -)."


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("{% for i in range(999999999) %}x{% endfor %}", "for"),
        ("{{ 'x' * 999999999 }}", "mul"),
        ("{{ 9 ** 9 ** 9 }}", "pow"),
        ("{% macro m() %}x{% endmacro %}", "macro"),
        ("{% include '../../config.yaml' %}", "include"),
        ("{% import 'x.j2' as x %}", "import"),
        ("{{ name.upper() }}", "call"),
    ],
)
def test_a_template_has_no_tricks(bureau: Bureau, words: str, what: str) -> None:
    """Bombs, giant strings, macros and includes."""
    bureau.write(words=f"BHXH\n{words}")
    vietnamese, english = SMALL_VI.format(what), SMALL_EN.format(what)
    assert [("template", "forbidden", f"{WORDS_FILE}:2", vietnamese, english)] == said(bureau)


@pytest.mark.parametrize(
    ("words", "rule", "weight", "vietnamese", "english"),
    [
        (
            "BHXH {% if false %}{{ name.__class__ }}{% endif %}",
            "template",
            Weight.FORBIDDEN,
            "Không có '__class__'; chỉ có: month, year, previous, next.",
            "there is no attribute '__class__'; there are: month, year, previous, next.",
        ),
        (
            "BHXH {{ amount }}",
            "variable",
            Weight.WRONG,
            "Dùng 'amount', nhưng mục columns không có; đang có: code, name, office, period.",
            "uses 'amount', which the job's columns lack; there are: code, name, office, period.",
        ),
        (
            f"{WORDS} Xem https://vi-du.example/x",
            "link",
            Weight.WRONG,
            f"Có địa chỉ web 'https://vi-du.example/x'. {ALLOW_VI}",
            f"Names the web site 'https://vi-du.example/x'. {ALLOW_EN}",
        ),
        (
            f"{WORDS} Xem bít . ly/abc",
            "link",
            Weight.WRONG,
            f"Có địa chỉ web 'bit.ly/abc'. {ALLOW_VI}",
            f"Names the web site 'bit.ly/abc'. {ALLOW_EN}",
        ),
        (
            f"{WORDS} Xem vi-du.bank",
            "link",
            Weight.WRONG,
            f"Có địa chỉ web 'vi-du.bank'. {ALLOW_VI}",
            f"Names the web site 'vi-du.bank'. {ALLOW_EN}",
        ),
        (
            f"{WORDS} Gọi 0912 345 678",
            "phone",
            Weight.WRONG,
            f"Có số điện thoại '0912 345 678'. {ALLOW_VI}",
            f"Names the phone number '0912 345 678'. {ALLOW_EN}",
        ),
        (
            "Kính gửi {{ name }}: xong.",
            "sender",
            Weight.WRONG,
            "Không cho biết ai gửi. Viết một trong các từ: BHXH.",
            "Does not say who writes. Write one of: BHXH.",
        ),
    ],
)
def test_words_that_are_refused(
    bureau: Bureau, words: str, rule: str, weight: Weight, vietnamese: str, english: str
) -> None:
    """Exactly so, in both languages."""
    bureau.write(words=words)
    assert [(rule, str(weight), f"{WORDS_FILE}:1", vietnamese, english)] == said(bureau)


@pytest.mark.parametrize("words", ["TP.HCM", "ngày 1.7.2025", "12.000.000 dong", "xong. Cổng có"])
def test_dots_that_are_no_links(bureau: Bureau, words: str) -> None:
    """Abbreviations, days and amounts."""
    bureau.write(words=f"{WORDS} {words}")
    assert [] == said(bureau)


@pytest.mark.parametrize(
    ("job", "rule", "weight", "line", "vietnamese", "english"),
    [
        (
            f"{JOB}owner: central\n",
            "owner",
            Weight.FORBIDDEN,
            16,
            "owner: không được tự khai; thư mục cho biết thông báo của ai. Hãy bỏ dòng này.",
            "owner: cannot be claimed; the folder says whose a notice is. Take the line out.",
        ),
        (
            JOB.replace("topic: dossier", "topic: c12-statement"),
            "topic",
            Weight.FORBIDDEN,
            2,
            "topic: 'c12-statement' là chủ đề của central; hãy đặt chủ đề riêng.",
            "topic: is 'c12-statement', which belongs to central; name your own.",
        ),
        (
            JOB.replace(
                'csv, path: "dossier-{period}.csv"', "sql, url: 'sqlite:///x.db', query: select 1"
            ),
            "sql",
            Weight.FORBIDDEN,
            5,
            "Thông báo của cơ quan không được đọc cơ sở dữ liệu."
            " Dùng tệp csv, xlsx hoặc json trong thư mục của mình.",
            "An office's notice reads files, and no database."
            " Use a csv, xlsx or json file in your own folder.",
        ),
        (
            JOB.replace("dossier-{period}.csv", "../79-hcm/dossier.csv"),
            "path",
            Weight.FORBIDDEN,
            5,
            "'../79-hcm/dossier.csv' ra ngoài thư mục của cơ quan."
            " Để tệp số liệu trong thư mục của mình, ghi tên tệp, không ghi '..'.",
            "'../79-hcm/dossier.csv' leaves the office's folder."
            " Put the extract into your own folder and name it without '..'.",
        ),
        (
            JOB.replace("expires: 2019-12-31", "expires: 2018-12-31"),
            "expires",
            Weight.WRONG,
            13,
            "Ngày này đã qua. Ghi ngày cuối cùng được gửi, không quá hai năm.",
            "This day is over. Write the last day on which it is sent, within two years.",
        ),
        (
            f"{JOB}title: Hai\n",
            "file",
            Weight.WRONG,
            16,
            "title: ghi hai lần (trước ở dòng 1).",
            "title: stands twice (first in line 1).",
        ),
        (
            "[" * 200_000,
            "file",
            Weight.FORBIDDEN,
            1,
            "Lồng nhau quá nhiều tầng.",
            "is nested too deeply.",
        ),
    ],
    ids=["owner", "topic", "sql", "path", "expires", "twice", "brackets"],
)
def test_jobs_that_are_refused(
    bureau: Bureau,
    job: str,
    rule: str,
    weight: Weight,
    line: int,
    vietnamese: str,
    english: str,
) -> None:
    """Exactly so, in both languages."""
    bureau.write(job=job)
    assert [(rule, str(weight), f"{FILE}:{line}", vietnamese, english)] == said(bureau)


def test_two_offices_cannot_have_one_topic(bureau: Bureau) -> None:
    """Whoever comes second is told whose it is."""
    other = bureau.job.parent.with_name("79-hcm") / "other.yaml"
    other.parent.mkdir()
    other.write_text(JOB, encoding="utf-8")
    found = said(bureau)
    assert [("topic", "forbidden", f"{FILE}:2")] == [each[:3] for each in found]
    assert found[0][3] == "topic: 'dossier' là chủ đề của 79-hcm; hãy đặt chủ đề riêng."


def test_a_link_in_place_of_a_template_is_refused(bureau: Bureau) -> None:
    """Whatever it points to."""
    real = bureau.template.with_name("real.j2")
    bureau.template.rename(real)
    bureau.template.symlink_to(real)
    vietnamese = "Đây là liên kết, hoặc nằm sau một liên kết; hãy đặt chính tệp vào đó."
    english = "is a link, or lies behind one; put the file itself there."
    assert [("path", "forbidden", f"{WORDS_FILE}:0", vietnamese, english)] == said(bureau)


def test_the_words_are_shown_beside_what_goes_out(bureau: Bureau) -> None:
    """With accents in the template, without in the text."""
    checked = check_job(bureau.engine, bureau.engine.catalogue(), bureau.job)
    assert WORDS == checked.words
    assert ["BHXH kinh gui Cong ty Trach nhiem huu han Vi Du: ho so A1 da xong."] == [
        golden.text for golden in checked.golden
    ]


def test_an_extract_with_a_longer_text_than_the_golden_row_is_noted(bureau: Bureau) -> None:
    """The author thought of too short a name; nothing is refused."""
    bureau.write(rows=[f"001,A1,Công ty {'rất ' * 12}dài,0910000001"])
    checked = check_job(bureau.engine, bureau.engine.catalogue(), bureau.job)
    assert [("golden", Weight.NOTE)] == [(each.rule, each.weight) for each in checked.findings]
    assert [] == checked.faults
