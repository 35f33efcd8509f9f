"""The notices of an installation, as their files say them at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from smsengine.store.versions import Version


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
    new catalogue. ``approved`` asks the ledger for the Centre's notices that run as they are kept
    there, whatever their files say.
    """

    config: Path
    settings: Settings
    networks: frozenset[str]
    route: Callable[[str], Route]
    kind: Callable[[str], Kind[Any]]
    today: date
    approved: Callable[[], Sequence[Version]]

    @cached_property
    def paths(self) -> Sequence[Path]:
        """Every job file, the Centre's first.

        Raises:
            ConfigError: there is no folder of jobs.
        """
        ours = self._paths_of_the_centre
        return [*ours, *sorted(self.settings.jobs.glob("provinces/*/*.yaml"))]

    @cached_property
    def _paths_of_the_centre(self) -> Sequence[Path]:
        folder = self.settings.jobs
        if not folder.is_dir():
            raise ConfigError(f"{self.config}: jobs: the folder {folder} does not exist.")
        return sorted(folder.glob("*.yaml"))

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
    def _kept(self) -> Sequence[LoadedJob]:
        """The Centre's notices that run as the ledger keeps them; of no use if unreadable."""
        found = []
        for version in self.approved():
            with suppress(ConfigError):
                found.append(self._read(self.place_of(version.job), version.files)[0])
        return found

    @cached_property
    def claims_of_the_centre(self) -> Sequence[Claim]:
        """What the Centre's files claim that can be read, and its notices in force."""
        ours = self._paths_of_the_centre
        found = [Claim(CENTRAL, *claims) for path in ours if (claims := claims_of(path))]
        return [*found, *(Claim(CENTRAL, each.job.topic, each.job.claims) for each in self._kept)]

    @cached_property
    def _offices_by_topic(self) -> Mapping[str, Sequence[str]]:
        """The offices with a readable file on each topic; none is called as the Centre is.

        What else an office ``claims`` takes nothing from anybody.
        """
        found = defaultdict[str, list[str]](list)
        for path in self.paths:
            owner = self.owner_of(path)
            if owner != CENTRAL and (claims := claims_of(path)):
                found[claims[0]].append(owner)
        return found

    @cached_property
    def central_wordings(self) -> Sequence[tuple[str, str]]:
        """The topics of the Centre's notices with each of their wordings: on the disk, where they
        can be read, and in force.
        """
        found = dict[tuple[str, str], None]()
        for loaded in [*self._readable_of_the_centre(), *self._kept]:
            with suppress(ConfigError):
                for text in (loaded.template(loaded.files), loaded.merged_template(loaded.files)):
                    if text:
                        found[loaded.job.topic, text] = None
        return list(found)

    def _readable_of_the_centre(self) -> Iterator[LoadedJob]:
        for path in self._paths_of_the_centre:
            with suppress(ConfigError):
                yield self._read(path)[0]

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
        topic, owner = loaded.job.topic, loaded.owner
        if owner == CENTRAL:
            return
        others = [CENTRAL] if self.is_of_the_centre(topic) else []
        if not is_kept:
            others += [each for each in self._offices_by_topic.get(topic, ()) if each != owner]
        for other in others[:1]:
            raise document.error(
                ("topic",), f"is {topic!r}, which belongs to {other}; name your own."
            )

    def is_of_the_centre(self, topic: str) -> bool:
        """Say whether a notice of the Centre is about a topic, or claims it."""
        return any(claim.takes(topic) for claim in self.claims_of_the_centre)


def _is_pretended(path: Path) -> bool:
    """Say whether a job file lies in a folder of offices that is called as the Centre is."""
    return path.parent.name == CENTRAL and path.parent.parent.name == "provinces"
