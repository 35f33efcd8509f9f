"""What a job's query may be: one statement, reading only, with parameters that exist."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import TextClause, text

from smsengine.errors import SourceError

#: Quoted texts and names, dollar-quoted texts, and the comments that every database skips: MySQL
#: runs what stands in ``/*! */`` and takes ``--`` for a comment only before a blank.
_NOT_CODE = re.compile(
    r"""
      '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | `[^`]*`
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | --(?=\s|$)[^\n]*
    | /\*(?!!).*?\*/
    """,
    re.VERBOSE | re.DOTALL,
)
_READS = re.compile(r"\s*\(*\s*(?:select|with)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:insert|update|delete|merge|into)\b", re.IGNORECASE)


def reading_statement(query: str, params: Mapping[str, object], name: str) -> TextClause:
    """Return the query with those of the parameters bound that it names.

    The database is told as well that it may only read; this is the first of the two locks.

    Raises:
        SourceError: it is not one SELECT, it writes, or it names a parameter that is not given.
    """
    code = _NOT_CODE.sub(" ", query).strip().removesuffix(";")
    if not _READS.match(code):
        raise SourceError(f"{name}: the query must begin with SELECT or WITH.")
    if ";" in code:
        raise SourceError(f"{name}: the query must be one statement; remove what follows the `;`.")
    if writing := _WRITES.search(code):
        raise SourceError(
            f"{name}: the query may only read, but has {writing[0].upper()}; put double quotes "
            "round it if it is the name of a column."
        )
    return _bound(query, params, name)


def _bound(query: str, params: Mapping[str, object], name: str) -> TextClause:
    clause = text(query)
    wanted = clause.compile().params
    for missing in wanted.keys() - params.keys():
        there_are = ", ".join(f":{known}" for known in sorted(params)) or "none"
        raise SourceError(f"{name}: the query names :{missing}; the parameters are {there_are}.")
    return clause.bindparams(**{key: params[key] for key in wanted})
