"""Where a job's files and extracts are, and what stands in a job besides its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from os.path import normpath
from pathlib import Path
from typing import Any

from smsengine.config.sources import SourceSettings
from smsengine.config.yaml import Document, Location, load
from smsengine.errors import ConfigError


def with_shared(
    document: Document, sources: Mapping[str, SourceSettings]
) -> tuple[dict[str, Any], Mapping[Location, str]]:
    """The data of a job with the sources of the configuration in their places, and their names."""
    data, shared = deepcopy(document.data), dict[Location, str]()
    for where in (("source",), ("recipient", "contacts", "source")):
        group: Any = data
        for key in where[:-1]:
            group = group.get(key) if isinstance(group, dict) else None
        named = group.get("source") if isinstance(group, dict) else None
        if not isinstance(named, dict) or named.get("kind") != "shared":
            continue
        if set(named) != {"kind", "name"} or named["name"] not in sources:
            known = ", ".join(sources) or "none"
            raise document.error(
                where, f"of kind shared needs name, and nothing else; there are: {known}."
            )
        group["source"], shared[where] = sources[named["name"]], named["name"]
    return data, shared


def refuse_links(folder: Path, inside: Path) -> None:
    """What an office hands in lies in its own folder, and is no link to something else."""
    path = folder / inside
    if path.exists() and path.resolve() != folder.resolve() / inside:
        raise ConfigError(f"{path}: is a link, or lies behind one; put the file itself there.")


def stays_inside(folder: Path, path: Path, *, is_read: bool) -> bool:
    """Say whether a path does not leave a folder: by a link neither, where the file is read."""
    if is_read:
        return path.resolve().is_relative_to(folder.resolve())
    return Path(normpath(path)).is_relative_to(normpath(folder))


def claims_of(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """The topic that a job file names, and further ones; None where it cannot be read."""
    try:
        data = load(path).data
    except ConfigError:
        return None
    topic, further = data.get("topic"), data.get("claims") or ()
    if not isinstance(topic, str):
        return None
    return topic, tuple(each for each in further if isinstance(each, str))


def inside_folder(folder: Path, relative: str) -> Path:
    """Join a path from a job to the folder that it may read.

    Raises:
        ConfigError: the path, or what a link in it points to, leaves the folder.
    """
    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"The path {relative!r} leaves the folder {folder}; extracts stay inside it."
        )
    return path
