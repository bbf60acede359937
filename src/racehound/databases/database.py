"""Database: the protocol between racehound and a plug-in for one kind of system under test.

A database is a package of its own that subclasses `Database` and names the subclass in the entry-point group
`racehound.databases`. Nothing else in racehound needs to know of it. The built-in ones are found in the same way.
CONTRIBUTING.md adds one step by step.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racehound.databases.dialect import Dialect
from racehound.databases.target import Target
from racehound.errors import UserError
from racehound.kinds.kind import Kind
from racehound.session import Session

if TYPE_CHECKING:
    import click

    from racehound.data.addresses import ServiceAddresses
    from racehound.data.finding import Finding
    from racehound.data.footprint import Footprint
    from racehound.data.reduction import HandOver
    from racehound.data.scene import Scene
    from racehound.judge.oracle import Oracle
    from racehound.kinds.text_kinds import KindBases
    from racehound.run.perturbations.perturbation import Perturbation
    from racehound.scenarios.pairs import Side
    from racehound.testdrive.actions import Spec

CORE_ORACLES = ("crash", "hang", "contents", "errors")
"""Names of the oracles that hold for every database (`judge.CORE`)."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which server of a database a user wants."""

    name: str
    """Of the database."""
    release: str | None = None
    """Start a server of this release."""
    url: str | None = None
    """Use the server at this address."""
    options: Any = None
    """What the database's own options say (`Database.read_options`)."""
    kinds_from: tuple[Path, ...] = ()
    """Files and directories with further kinds (`databases.catalogue`)."""

    def __post_init__(self) -> None:
        if self.release and self.url:
            raise UserError("--release starts a server of that release, --url names one that runs: give one of them")


@dataclasses.dataclass(frozen=True)
class ScriptServer:
    """A server that scripts of the language run on."""

    url: str
    variables: Mapping[str, str]
    """Under which scripts find the server's addresses."""
    services: ServiceAddresses
    renew: Callable[[], object] = lambda: None
    """Makes the server as it was at first, before each script."""


class Footprints(abc.ABC):
    """Measures which catalog rows operations write and read, in the working database of a started target."""

    @abc.abstractmethod
    def measure(self, side: Side) -> Footprint:
        """The footprint of an operation on its object. CommandFailed when the operation does not succeed alone."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the sessions that measuring used."""


class Database(abc.ABC):
    """One kind of system under test.

    The methods without a default must be written. Each of the others has a default for a database that cannot do what it is
    for: then the command that needs it says so in one line and ends with exit code 2.
    """

    dialect: Dialect
    summary: str
    """One line for `racehound targets`: what it is, and how a run gets a server of it."""
    is_default: bool = False
    """Whether commands use it when their user names no database. At most one installed database may say so."""
    can_start: bool = False
    """Whether racehound can start servers of it, several at the same time. If not, a choice always has a `url`."""
    can_step: bool = False
    """Whether its targets can be run in lock-step: explore, matrix, reduce."""
    oracles: tuple[str, ...] = CORE_ORACLES
    """Names of the oracles that judge it, in this order: core ones, and its own (`own_oracles`)."""

    @property
    def name(self) -> str:
        """The word that users write."""
        return self.dialect.name

    @property
    def title(self) -> str:
        """Its name as its makers spell it."""
        return self.dialect.title

    # A server of it

    @abc.abstractmethod
    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> contextlib.AbstractContextManager[Target]:
        """Start the chosen target. On leaving, remove what the run created, and end what racehound started.

        `directory`: the run's scratch directory. `log_path`: where a server of racehound's own logs.
        """

    def options(self) -> Sequence[click.Option]:
        """Options of its own for the commands that open a target. One that another database has, too, must be the same there."""
        return ()

    def read_options(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 whatever `opened` understands
        """What `Choice.options` is to hold. `values`: those of all options of the command, by parameter name. UserError."""
        del values

    def recognises(self, session: Session) -> bool:  # noqa: ARG002 nothing tells it apart
        """Whether the server at the other end of a session is one of this database."""
        return False

    def clean(self, url: str, values: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:  # noqa: ARG002 see the message
        """Remove what killed runs left in the server at an address: a line for each thing, before it goes. TargetError.

        `values`: those of all options of the command; `run_id` is a run that its user knows to be over.
        """
        raise UserError(
            f"racehound clean --url: {self.title} is not cleaned: a run leaves nothing there but what it was killed in"
        )

    def script_options(self) -> Sequence[click.Option]:
        """Further options of `racehound testdrive`."""
        return ()

    def script_addresses(
        self,
        values: Mapping[str, Any],  # noqa: ARG002 it adds nothing
        services: ServiceAddresses,
    ) -> tuple[ServiceAddresses, Mapping[str, str]]:
        """What its script options add to the services and to the variables of scripts, whatever the target is."""
        return services, {}

    def clean_options(self) -> Sequence[click.Option]:
        """Further options of `racehound clean`."""
        return ()

    def url_options(self) -> Sequence[str]:
        """Further names of the option `--url`."""
        return ()

    def script_server(
        self, choice: Choice, values: Mapping[str, Any], services: ServiceAddresses
    ) -> contextlib.AbstractContextManager[ScriptServer]:
        """A server for `racehound testdrive`: the one at `choice.url`, or one that is started."""
        del choice, values, services
        raise UserError(f"racehound testdrive --target {self.name}: {self.title} runs no scripts")

    @property
    def actions(self) -> Mapping[str, Spec]:
        """Actions that it adds to the language."""
        return {}

    # What is drawn

    def kinds(self) -> Sequence[type[Kind]]:
        """Its catalogue: an ordered tuple, new kinds at the end. Seeds draw by position."""
        return ()

    def may_have(self, choice: Choice, kind: type[Kind]) -> bool:  # noqa: ARG002 all of them, as far as is known
        """Whether a server of that choice can have objects of a kind, as far as that is known before it is started."""
        return True

    def kind_bases(self) -> KindBases | None:
        """What kinds from outside racehound are subclasses of; None for a database that has no kinds."""
        return None

    def plain_table(self, name: str) -> Kind:  # noqa: ARG002 see the message
        """A table that any two operations can have in common: what the objects of a pair are built over."""
        raise UserError(f"{self.title} has no plain table to build pairs of operations over, so it has no matrix")

    # Judging and disturbing

    def own_oracles(self) -> Mapping[str, Callable[[], Oracle]]:
        """Its own oracles, by the names that `oracles` uses."""
        return {}

    def perturbations(self) -> Sequence[type[Perturbation]]:
        """Its own perturbations, besides those that work on every database."""
        return ()

    def footprints(self, target: Target) -> Footprints:  # noqa: ARG002 it cannot measure
        """What measures the footprints of operations for the matrix."""
        raise UserError(f"{self.title} does not tell which catalog rows an operation touches, and the matrix needs that")

    # Handing over

    def hand_over(self, scene: Scene, finding: Finding, title: str) -> HandOver | None:  # noqa: ARG002 no format of its own
        """A reduced finding in forms that its users can run without racehound; None: scripts of the language serve."""
        return None
