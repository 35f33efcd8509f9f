"""Say whether a word is spelled like a Vietnamese syllable.

This is spelling, not a dictionary: onset, rhyme, and a tone mark on a vowel that may carry it.
It is strict enough to tell text from bytes read with the wrong table, which is its only use.
"""

from __future__ import annotations

import re
import unicodedata

_ACUTE, _DOT_BELOW = "\u0301", "\u0323"
_TONES = frozenset({"\u0300", _ACUTE, "\u0309", "\u0303", _DOT_BELOW})

_ONSETS = "b ch c d đ gh gi g h kh k l m ngh ng nh n ph p qu r s th tr t v x"
_RHYMES = """
a ac ach ai am an ang anh ao ap at au ay ăc ăk ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên ênh êp êt êu
i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
o oc oi om on ong op ot oong ooc oa oac oach oai oam oan oang oanh oao oap oat oay
oăc oăm oăn oăng oăt oe oen oeo oet ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uơ uôc uôi uôm uôn uông uôt
uy uya uych uynh uyt uyu uyên uyêt ư ưa ưc ưi ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu
y yêm yên yêng yêt yêu
"""
_SYLLABLE = re.compile(f"(?:{'|'.join(_ONSETS.split())})?(?P<rhyme>{'|'.join(_RHYMES.split())})")
_STOPS = ("c", "ch", "k", "p", "t")


def is_syllable(word: str) -> bool:
    """Say whether ``word`` (any case, composed or not) is spelled like one Vietnamese syllable."""
    bare, tones = _without_tones(word)
    match = _SYLLABLE.fullmatch(bare)
    if match is None or len(tones) > 1:
        return False
    if not tones:
        return not bare.endswith(_STOPS)
    (place, tone) = tones[0]
    if bare.endswith(_STOPS) and tone not in {_ACUTE, _DOT_BELOW}:
        return False
    return place - match.start("rhyme") in _tone_places(match["rhyme"])


def _without_tones(word: str) -> tuple[str, list[tuple[int, str]]]:
    """Return the lower-case word without tones, and each tone with the index of its letter."""
    letters: list[str] = []
    tones: list[tuple[int, str]] = []
    for char in unicodedata.normalize("NFC", word.lower()):
        parts = unicodedata.normalize("NFD", char)
        tones += [(len(letters), mark) for mark in parts if mark in _TONES]
        shape = "".join(part for part in parts if part not in _TONES)
        letters.append(unicodedata.normalize("NFC", shape))
    return "".join(letters), tones


def _tone_places(rhyme: str) -> set[int]:
    """Return the indexes of the rhyme's letters that may carry its tone (hoà and hòa both may)."""
    shaped = [place for place, letter in enumerate(rhyme) if letter in "ăâêôơ"]
    if shaped:
        return {shaped[-1]}
    if "ư" in rhyme:
        return {rhyme.index("ư")}
    return {0, 1} if rhyme.startswith(("oa", "oe", "oo", "uy")) else {0}
