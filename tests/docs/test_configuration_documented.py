"""docs/configuration.md says every key, its default and its choices; examples everywhere load."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import smsengine.gateways
from smsengine.config.job import Job
from smsengine.config.registered import Registered
from smsengine.config.settings import GatewaySettings, Settings, load_settings
from smsengine.config.yaml import Document, Model, build, load
from tests.docs.documents import ROOT, Block, blocks, pages, section, table, words

PAGE = "docs/configuration.md"


def gateway_options() -> dict[str, type[Model]]:
    """The keys of each kind of gateway, by the kind's name."""
    found = {}
    for info in pkgutil.iter_modules(smsengine.gateways.__path__):
        module = importlib.import_module(f"smsengine.gateways.{info.name}")
        if hasattr(module, "Options"):
            found[info.name.replace("_", "-")] = module.Options
    return found


def inside(annotation: Any) -> Iterator[Any]:
    """Every type that an annotation is made of."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal or not parts:
        yield annotation
    for part in parts if get_origin(annotation) is not Literal else ():
        if isinstance(part, FieldInfo) or not (isinstance(part, type) or get_args(part)):
            continue
        yield from inside(part)


def nested(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """A model and all that its fields are made of, by name."""
    found = {model.__name__: model}
    for field in model.model_fields.values():
        for part in inside(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= nested(part)
    return found


def documented_models() -> list[tuple[str, type[BaseModel]]]:
    options = {f"{kind} gateway": model for kind, model in gateway_options().items()}
    return [*(nested(Settings) | nested(Job) | nested(Registered) | options).items()]


MODELS = documented_models()
KEYS = [
    pytest.param(name, field.alias or key, field, id=f"{name}.{field.alias or key}")
    for name, model in MODELS
    for key, field in model.model_fields.items()
]


def default_of(field: FieldInfo) -> str:
    """A field's default as the page writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    assert value is not PydanticUndefined
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case Decimal():
            return f"{value * 100:f}%"
        case BaseModel() | Mapping() | tuple() | "":
            return "empty"
        case _:
            return str(value)


def choices_of(field: FieldInfo) -> set[str]:
    """The words that a key may be, where there is a closed list of them."""
    found: set[str] = set()
    for part in inside(field.annotation):
        if get_origin(part) is Literal:
            found |= {str(value) for value in get_args(part)}
        elif isinstance(part, type) and issubclass(part, Enum):
            found |= {str(member.value) for member in part}
    return found


def rows_of(name: str) -> dict[str, list[str]]:
    return {words(row[0])[0]: row for row in table(section(PAGE, f"keys: {name}"))}


@pytest.mark.parametrize(("name", "model"), MODELS, ids=[name for name, _ in MODELS])
def test_a_section_lists_exactly_the_keys_that_its_part_of_the_file_takes(
    name: str, model: type[BaseModel]
) -> None:
    """Whoever reads the page knows every key, and none that would be refused."""
    taken = {field.alias or key for key, field in model.model_fields.items()}
    assert taken == set(rows_of(name))


@pytest.mark.parametrize(("name", "key", "field"), KEYS)
def test_a_key_is_documented_with_its_default(name: str, key: str, field: FieldInfo) -> None:
    """What happens when a key is left out stands beside it."""
    assert default_of(field) == rows_of(name)[key][2].strip("`")


@pytest.mark.parametrize(("name", "key", "field"), KEYS)
def test_a_key_is_documented_with_a_meaning(name: str, key: str, field: FieldInfo) -> None:
    """No key stands there with its name alone."""
    row = rows_of(name)[key]
    assert all(row)
    assert row[3].endswith(".")


@pytest.mark.parametrize(
    ("name", "key", "field"), [param for param in KEYS if choices_of(param.values[2])]
)
def test_a_key_with_a_closed_list_of_values_names_them_all(
    name: str, key: str, field: FieldInfo
) -> None:
    """A reader need not guess what else could stand there."""
    missing = choices_of(field) - set(words(" ".join(rows_of(name)[key])))
    assert set() == missing


EXAMPLES = [
    pytest.param(block, id=str(block))
    for page in pages()
    for block in blocks(str(page.relative_to(ROOT)))
    if block.language == "yaml"
]
_SECRET = re.compile(r"\$\{(\w+)\}")
REGISTERED_KEYS = {*Registered.model_fields}
JOB_KEYS = {field.alias or key for key, field in Job.model_fields.items()}


def completed(document: Document, base: str) -> dict[str, Any]:
    """The example's keys on top of a whole file."""
    return load(ROOT / base).data | document.data


@pytest.mark.parametrize("block", EXAMPLES)
def test_an_example_in_yaml_loads(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody copies an example that the engine refuses; the secrets that it names are there."""
    for name in _SECRET.findall(block.text):
        monkeypatch.setenv(name, "no secret, only for the test of the documents")
    path = tmp_path / "example.yaml"
    path.write_text(block.text, encoding="utf-8")
    document = load(path)
    assert document.data
    if document.data.keys() <= REGISTERED_KEYS:
        build(Registered, document)
    elif document.data.keys() <= JOB_KEYS:
        whole = document.data if block.title else completed(document, "jobs/c12-statement.yaml")
        build(Job, document, data=whole)
    else:
        whole = document.data if block.title else completed(document, "config.yaml")
        check_settings(whole, tmp_path)


def check_settings(whole: Mapping[str, Any], folder: Path) -> None:
    """Load a whole configuration and the keys of its gateways; JSON is YAML, too."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    settings, document = load_settings(path)
    for gateway in settings.gateways.values():
        check_gateway(gateway, document, folder)


def check_gateway(gateway: GatewaySettings, document: Document, folder: Path) -> None:
    options = gateway_options()[gateway.kind]
    build(options, document, data=gateway.options, context={"folder": folder})


def test_the_walk_reaches_every_part_of_both_files() -> None:
    """The test itself would notice if it stopped looking into unions and mappings."""
    names = {name for name, _ in MODELS}
    assert {
        "Settings",
        "GatewaySettings",
        "RouteStep",
        "Price",
        "PhoneSettings",
        "Job",
        "Stop",
        "Column",
        "Contacts",
        "SqlSource",
        "ParquetSource",
        "FacilityFigures",
        "file gateway",
        "http gateway",
        "simulated gateway",
    } <= names
