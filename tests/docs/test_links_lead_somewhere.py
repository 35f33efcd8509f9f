"""Links between the documents lead to files and headings that exist."""

from __future__ import annotations

import re

import pytest

from tests.docs.documents import ROOT, pages

#: README.md has its own blocks.
PAGES = [str(page.relative_to(ROOT)) for page in pages() if page.name != "README.md"]
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The names that the headings of a page can be reached by."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_page_and_heading_that_exist(page: str) -> None:
    """No reader is sent to a page that is not there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for path, anchor in _LINK.findall(text):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {path}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{path}#{anchor}"
