"""What the readers of files say in English: whose rule it is, and how it is said in Vietnamese."""

from __future__ import annotations

import re
from typing import NamedTuple

from smsengine.governance.findings import Rule, Saying, Weight


class Refusal(NamedTuple):
    """A sentence of a reader as a finding says it."""

    rule: Rule
    weight: Weight
    said: Saying


class _Known(NamedTuple):
    rule: Rule
    english: str
    vietnamese: str
    weight: Weight = Weight.WRONG


#: ``{1}`` in the Vietnamese is the first group of the English pattern.
_KNOWN = (
    _Known(
        "template",
        r"'(\w+)' is not allowed in a message template; .*",
        "Mẫu không được dùng '{1}'; chỉ dùng chữ, {{{{ giá trị }}}}, bộ lọc và {{% if %}}.",
        Weight.FORBIDDEN,
    ),
    _Known(
        "template",
        r"there is no (?:filter|attribute) '(attr|_\w*)'; there are: (.*)\.",
        "Không có '{1}'; chỉ có: {2}.",
        Weight.FORBIDDEN,
    ),
    _Known(
        "template",
        r"there is no (?:filter|test|attribute) '(.+?)'; there are: (.*)\.",
        "Không có '{1}'; chỉ có: {2}.",
    ),
    _Known("template", r"'period' cannot be set anew\.", "Không được đặt lại 'period'."),
    _Known(
        "template",
        r"A period is printed with (.*)\.",
        "Kỳ phải kèm cách viết: {1}.",
    ),
    _Known(
        "variable",
        r"uses '(.+?)', which the job's columns lack; there are: (.*)\.",
        "Dùng '{1}', nhưng mục columns không có; đang có: {2}.",
    ),
    _Known(
        "topic",
        r"topic: is '(.+?)', which belongs to (.+?); name your own\.",
        "topic: '{1}' là chủ đề của {2}; hãy đặt chủ đề riêng.",
        Weight.FORBIDDEN,
    ),
    _Known(
        "owner",
        r"owner: cannot be claimed; .*",
        "owner: không được tự khai; thư mục cho biết thông báo của ai. Hãy bỏ dòng này.",
        Weight.FORBIDDEN,
    ),
    _Known(
        "path",
        r"is a link, or lies behind one; put the file itself there\.",
        "Đây là liên kết, hoặc nằm sau một liên kết; hãy đặt chính tệp vào đó.",
        Weight.FORBIDDEN,
    ),
    _Known(
        "path",
        r"template: must stay inside (.+)\.",
        "template: phải nằm trong {1}.",
        Weight.FORBIDDEN,
    ),
    _Known(
        "path",
        r"The path '(.+?)' leaves the folder (.+); extracts stay inside it\.",
        "'{1}' ra ngoài thư mục {2}; tệp số liệu phải nằm trong đó.",
        Weight.FORBIDDEN,
    ),
    _Known("file", r"is longer than (\d+) characters\.", "Dài quá {1} ký tự.", Weight.FORBIDDEN),
    _Known("file", r"is nested too deeply\.", "Lồng nhau quá nhiều tầng.", Weight.FORBIDDEN),
    _Known("file", r"(.+): is missing\.", "Thiếu {1}."),
    _Known("file", r"(.+): is empty; write a value\.", "{1}: còn trống; hãy ghi giá trị."),
    _Known(
        "file",
        r"(.+): is not a known key; the keys here are: (.*)\.",
        "{1}: không có mục này; ở đây chỉ có: {2}.",
    ),
    _Known(
        "file",
        r"(.+): stands twice \(first in line (\d+)\)\.",
        "{1}: ghi hai lần (trước ở dòng {2}).",
    ),
    _Known("file", r"(.+): must be a list\.", "{1}: phải là một danh sách."),
    _Known("file", r"(.+): is '(.*)'; it must be (.*)\.", "{1}: đang là '{2}'; phải là {3}."),
    _Known(
        "file",
        r"aliases \(\*name\) are not used here; write it out\.",
        "Không dùng tên gọi lại (*tên); hãy viết đầy đủ.",
    ),
    _Known(
        "file",
        r"the tag (.+) is not used here; write plain text\.",
        "Không dùng nhãn {1}; hãy viết chữ thường.",
    ),
    _Known("file", r"not readable as YAML: (.*)\.", "Không đọc được như YAML: {1}."),
    _Known(
        "file",
        r"holds a character that YAML does not allow\.",
        "Có ký tự mà YAML không cho phép.",
    ),
    _Known("file", r"cannot be read \((.+)\)\.", "Không đọc được tệp ({1})."),
    _Known(
        "file",
        r"is not UTF-8 at byte (\d+); save it as UTF-8\.",
        "Không phải UTF-8 ở byte {1}; hãy lưu tệp dưới dạng UTF-8.",
    ),
    _Known(
        "gateway",
        r"gateway: is '(.+?)'; .+ has: (.*)\.",
        "gateway: không có '{1}'; đang có: {2}.",
    ),
)
_PATTERNS = [(re.compile(known.english, re.DOTALL), known) for known in _KNOWN]


def refusal(said: str, *, of_template: bool) -> Refusal:
    """Tell whose rule a sentence is, and say it in Vietnamese.

    Args:
        said: the sentence of a reader, without its file and line.
        of_template: it is about a template, not about a job file.
    """
    for pattern, known in _PATTERNS:
        if found := pattern.fullmatch(said):
            vietnamese = known.vietnamese.format(found[0], *found.groups())
            rule = "template" if of_template and known.rule == "file" else known.rule
            return Refusal(rule, known.weight, Saying(vi=vietnamese, en=said))
    what = "Mẫu lời nhắn" if of_template else "Tệp"
    return Refusal(
        "template" if of_template else "file",
        Weight.WRONG,
        Saying(vi=f"{what} chưa đúng: {said}", en=said),
    )
