"""YAML, read strictly: text stays text, doubled and unknown keys are refused, errors name the line.

Plain YAML turns ``12:30`` into 750, ``NO`` into false and ``012`` into 10; here every scalar is
text and the pydantic models say what it must become.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from smsengine.config.files import read_text
from smsengine.errors import ConfigError

Location = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

#: libyaml, where it is there: many times as fast. What it refuses is read anew by PyYAML, whose
#: sentences are clearer.
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_CHARACTERS = 250_000
_MAX_LEVELS = 50
_BEGINS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class Model(BaseModel):
    """What every section of a file is: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, kw_only=True)
class Document:
    """A YAML file as plain data, with the line of every key."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[Location, int]

    def error(self, where: Location, sentence: str) -> ConfigError:
        """An error at a key: ``config.yaml:7: gateways.viettel.token: sentence``."""
        return ConfigError(self.sentence(where, sentence))

    def line(self, where: Location) -> int:
        """The line of a key, or of the nearest group round it that stands there."""
        known = where
        while known and known not in self.lines:
            known = known[:-1]
        return self.lines.get(known, 1)

    def sentence(self, where: Location, sentence: str) -> str:
        line = self.line(where)
        key = ".".join(str(part) for part in where)
        return f"{self.path}:{line}: {key + ': ' if key else ''}{sentence}"


def load(path: Path) -> Document:
    """Read one YAML file.

    Raises:
        ConfigError: missing, unreadable, not UTF-8, not YAML, doubled keys, tags or aliases.
    """
    return parse(read_text(path), path)


def parse(text: str, path: Path) -> Document:
    """Read the text of a YAML file; ``path`` is what sentences call it.

    Raises:
        ConfigError: not YAML, doubled keys, tags or aliases.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ConfigError(f"{path}: is longer than {_MAX_CHARACTERS} characters.")
    try:
        try:
            node = _node(text, path, _FAST)
        except yaml.YAMLError:
            node = _node(text, path, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or "is not YAML"
        raise ConfigError(f"{path}:{line}: not readable as YAML: {problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: holds a character that YAML does not allow.") from error
    lines: dict[Location, int] = {(): 1}
    data = _plain(node, (), path, lines) if node is not None else {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}:1: must be a group of 'key: value' lines.")
    return Document(path=path, data=data, lines=lines)


def _node(text: str, path: Path, loader: Any) -> yaml.Node | None:
    """The tree of a text that has no tags, no aliases and few levels.

    Tokens come one by one: a text of nothing but brackets ends at the first one too many.
    """
    depth = 0
    for token in yaml.scan(text, Loader=loader):
        depth += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        line = token.start_mark.line + 1
        if depth > _MAX_LEVELS:
            raise ConfigError(f"{path}:{line}: is nested too deeply.")
        if isinstance(token, yaml.AliasToken):
            raise ConfigError(f"{path}:{line}: aliases (*name) are not used here; write it out.")
        if isinstance(token, yaml.TagToken):
            tag = "".join(part or "" for part in token.value)
            raise ConfigError(f"{path}:{line}: the tag {tag} is not used here; write plain text.")
    return yaml.compose(text, Loader=loader)


def _plain(node: yaml.Node, where: Location, path: Path, lines: dict[Location, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(where, line)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, where, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*where, i), path, lines) for i, item in enumerate(node.value)]
    empty = isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("", "~")
    return None if empty else node.value


def _mapping(
    node: yaml.MappingNode, where: Location, path: Path, lines: dict[Location, int]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key, str) or key == "<<":
            raise ConfigError(f"{path}:{line}: a key must be one plain word.")
        if key in result:
            first = lines[(*where, key)]
            raise ConfigError(f"{path}:{line}: {key}: stands twice (first in line {first}).")
        lines[(*where, key)] = line
        result[key] = _plain(value_node, (*where, key), path, lines)
    return result


def build(
    model: type[ModelT],
    document: Document,
    *,
    data: Mapping[str, Any] | None = None,
    at: Location = (),
    context: Mapping[str, Any] | None = None,
) -> ModelT:
    """Turn a document, or the section of it that stands ``at`` a key, into a model.

    Raises:
        ConfigError: one line for each thing that is wrong, with its place.
    """
    try:
        return model.model_validate(document.data if data is None else data, context=context)
    except ValidationError as error:
        raise ConfigError(
            "\n".join(_explain(document, model, at, detail) for detail in error.errors())
        ) from error


def _explain(document: Document, model: type[BaseModel], at: Location, detail: ErrorDetails) -> str:
    where = _place(document, at, detail["loc"])
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            known = ", ".join(_keys(model, detail["loc"][:-1]))
            said = "is not a known key" + (f"; the keys here are: {known}." if known else ".")
        case "missing":
            said = "is missing."
        case "value_error":
            said = str(detail["ctx"]["error"])
        case "literal_error" | "enum":
            said = f"is {value!r}; it must be {detail['ctx']['expected']}."
        case "string_type" | "string_too_short" if value in (None, ""):
            said = "is empty; write a value."
        case "union_tag_not_found":
            said = f"needs {detail['ctx']['discriminator']}."
        case "union_tag_invalid":
            said = f"is {detail['ctx']['tag']!r}; it must be {detail['ctx']['expected_tags']}."
            where = (*where, "kind")
        case "model_type" | "model_attributes_type" | "dict_type":
            said = "must be a group of 'key: value' lines."
        case "list_type" | "tuple_type":
            said = "must be a list."
        case _:
            said = f"is {value!r}; {detail['msg'][0].lower()}{detail['msg'][1:]}."
    return document.sentence(where, said)


def _place(document: Document, at: Location, found: Location) -> Location:
    """Where an error stands in the file; a union's tag is left out unless it is a key there."""
    where = at
    for part in found:
        if part not in _UNION_TAGS or (*where, part) in document.lines:
            where = (*where, part)
    return where


#: The tags of the discriminated unions of job.py and daily_table.py: pydantic puts them into a
#: location, but they are no keys of the file.
_UNION_TAGS = frozenset(
    {
        *(
            "csv",
            "xlsx",
            "sql",
            "json",
            "parquet",
            "payments",
            "daily-tables",
            "facility",
            "contribution",
        ),
        *("folder", "email", "sftp"),
    }
)


def _keys(model: type[BaseModel], found: Location) -> list[str]:
    """The keys of the section at a location; an index or a name of a mapping stays in it."""
    here = {model}
    for part in found:
        fields = [
            field
            for section in here
            for name, field in section.model_fields.items()
            if part in (name, field.alias)
        ]
        if fields:
            here = {each for field in fields for each in _models(field.annotation)}
        elif part in _UNION_TAGS:
            here = {section for section in here if _is_kind(section, part)} or here
    return sorted(
        {field.alias or name for section in here for name, field in section.model_fields.items()}
    )


def _models(annotation: Any) -> set[type[BaseModel]]:
    """Every model that a type like ``Mapping[str, Model] | None`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {each for part in get_args(annotation) for each in _models(part)}


def _is_kind(section: type[BaseModel], tag: str | int) -> bool:
    kind = section.model_fields.get("kind")
    return kind is not None and tag in get_args(kind.annotation)
