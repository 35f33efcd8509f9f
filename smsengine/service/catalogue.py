"""The notices of an installation, as their files say them at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from smsengine.config.files import Role
from smsengine.config.job import CENTRAL, LoadedJob, load_job
from smsengine.config.job_places import claims_of
from smsengine.config.settings import Settings
from smsengine.config.yaml import Document
from smsengine.errors import ConfigError, UsageError
from smsengine.gateways.base import Kind
from smsengine.governance import grants
from smsengine.governance.findings import Finding, FoundError, Weight
from smsengine.sending.routing import Route
from smsengine.service.house_rules import misfits, registered_of


class Claim(NamedTuple):
    """A topic that a job file names, and whose file it is.

    ``further`` are topics that nobody else may take either, with ``*`` for any letters.
    """

    owner: str
    topic: str
    further: tuple[str, ...] = ()

    def takes(self, topic: str) -> bool:
        """Say whether another owner may not use this topic."""
        return topic == self.topic or any(fnmatchcase(topic, each) for each in self.further)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Finds and reads job files.

    Which files there are and what topics they claim is found out once: for later looks there is a
    new catalogue.
    """

    config: Path
    settings: Settings
    networks: frozenset[str]
    route: Callable[[str], Route]
    kind: Callable[[str], Kind[Any]]
    today: date

    @cached_property
    def paths(self) -> Sequence[Path]:
        """Every job file, the Centre's first.

        Raises:
            ConfigError: there is no folder of jobs.
        """
        folder = self.settings.jobs
        if not folder.is_dir():
            raise ConfigError(f"{self.config}: jobs: the folder {folder} does not exist.")
        return sorted(folder.glob("*.yaml")) + sorted(folder.glob("provinces/*/*.yaml"))

    def name_of(self, path: Path) -> str:
        """The name of a job file, e.g. ``c12-statement`` or ``01-hanoi/dossier``."""
        inside = path.relative_to(self.settings.jobs).with_suffix("").as_posix()
        return inside.removeprefix("provinces/")

    def owner_of(self, path: Path) -> str:
        """Whose a job file is: ``central``, or the folder of an office."""
        return path.parent.name if path.parent != self.settings.jobs else CENTRAL

    def path_of(self, name: str) -> Path:
        """The file of a job.

        Raises:
            UsageError: there is no such job; the sentence lists those there are.
        """
        names = {self.name_of(path): path for path in self.paths}
        if name not in names:
            raise UsageError(f"There is no job {name!r}; there are: {', '.join(names) or 'none'}.")
        return names[name]

    def place_of(self, name: str) -> Path:
        """Where the file of a job stands, or stood."""
        below = Path("provinces") / name if "/" in name else Path(name)
        return self.settings.jobs / f"{below}.yaml"

    @cached_property
    def claims(self) -> Mapping[Path, Claim]:
        """The topic of each job file that can be read; no office is called as the Centre is."""
        found = ((path, claims_of(path)) for path in self.paths if not _is_pretended(path))
        return {path: Claim(self.owner_of(path), *claims) for path, claims in found if claims}

    @cached_property
    def central_wordings(self) -> Sequence[tuple[Claim, str]]:
        """What the Centre's notices claim, and their templates; what cannot be read is left out."""
        found = []
        for path, claim in self.claims.items():
            if claim.owner == CENTRAL:
                with suppress(ConfigError):
                    loaded, _ = self._read(path)
                    found.append((claim, loaded.template(loaded.files)))
                    if merged := loaded.merged_template(loaded.files):
                        found.append((claim, merged))
        return found

    def load(
        self, path: Path, kept: Mapping[Role, str] | None = None
    ) -> tuple[LoadedJob, Document]:
        """Read one notice, and make sure that its gateway exists and takes it.

        Args:
            path: the job file.
            kept: texts that stand for its files, whatever is on the disk now.

        Raises:
            ConfigError: one line for each thing that is wrong.
        """
        if _is_pretended(path):
            raise ConfigError(f"{path}: no office is called {CENTRAL!r}; rename the folder.")
        settings = self.settings
        loaded, document = self._read(path, kept)
        job = loaded.job
        if loaded.owner != CENTRAL:
            self._refuse_excess(loaded, document)
        if job.gateway not in {*settings.gateways, *settings.routes}:
            known = ", ".join([*settings.routes, *settings.gateways])
            raise document.error(("gateway",), f"is {job.gateway!r}; {self.config} has: {known}.")
        self._refuse_taken_topic(loaded, document, is_kept=kept is not None)
        registered, of_lists = (
            registered_of(job, document, settings.templates, self.networks, loaded.files, role)
            for role in (Role.REGISTERED, Role.MERGED_REGISTERED)
        )
        route = self.route(job.gateway)
        kinds = {name: self.kind(name) for name in route.gateways}
        for key, fault in misfits(job, registered, route, kinds):
            raise document.error((key,), fault)
        for key, fault in misfits(job, of_lists, route, kinds) if job.merged else ():
            raise document.error(("merged", key) if key == "registered" else (key,), fault)
        return loaded.model_copy(
            update={"registered": registered, "merged_registered": of_lists}
        ), document

    def _read(
        self, path: Path, kept: Mapping[Role, str] | None = None
    ) -> tuple[LoadedJob, Document]:
        settings = self.settings
        return load_job(
            path,
            jobs=settings.jobs,
            templates=settings.templates,
            data=settings.data,
            kept=kept,
            sources=settings.sources,
        )

    def _refuse_excess(self, loaded: LoadedJob, document: Document) -> None:
        """An office's notice uses what the office was granted, and nothing else."""
        found = [
            Finding.at(document, where, rule, Weight.FORBIDDEN, what, mend)
            for rule, where, what, mend in grants.faults(loaded, self.settings.offices, self.today)
        ]
        if found:
            raise FoundError(found)

    def _refuse_taken_topic(self, loaded: LoadedJob, document: Document, *, is_kept: bool) -> None:
        """A topic has one owner; the Centre's comes first.

        Between the kept versions of offices the ledger decides: a draft of one office must not
        stop what another has in force.
        """
        for claim in self.claims.values():
            if is_kept and claim.owner != CENTRAL:
                continue
            if loaded.owner in (claim.owner, CENTRAL) or not claim.takes(loaded.job.topic):
                continue
            said = f"is {loaded.job.topic!r}, which belongs to {claim.owner}; name your own."
            raise document.error(("topic",), said)


def _is_pretended(path: Path) -> bool:
    """Say whether a job file lies in a folder of offices that is called as the Centre is."""
    return path.parent.name == CENTRAL and path.parent.parent.name == "provinces"
