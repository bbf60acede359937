"""Database: the protocol between racehound and a plug-in for one kind of system under test.

A plug-in is a package with a subclass of `Database`, which is an entry point in the group `racehound.databases`. No other part of
racehound needs to know the plug-in. The built-in plug-ins are found in the same way. CONTRIBUTING.md shows how to write one.
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
    from racehound.data.verification import Verification
    from racehound.judge.oracle import Oracle
    from racehound.kinds.text_kinds import KindBases
    from racehound.run.perturbations.perturbation import Perturbation
    from racehound.scenarios.pairs import Side
    from racehound.testdrive.actions import Spec

CORE_ORACLES = ("crash", "hang", "contents", "errors")
"""Names of the oracles that hold for every database (`judge.CORE`)."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """The user's choice of a server."""

    name: str
    """Name of the database."""
    release: str | None = None
    """The release of the server to start."""
    url: str | None = None
    """The address of the server to use."""
    options: Any = None
    """The values of the database's own options (`Database.read_options`)."""
    kinds_from: tuple[Path, ...] = ()
    """Files and directories with further kinds (`databases.catalogue`)."""
    reconnect_s: float = 30.0
    """Seconds for which racehound tries to come back to a server that it has lost."""

    def __post_init__(self) -> None:
        if self.release and self.url:
            raise UserError("--release starts a server of that release, --url names one that runs: give one of them")


@dataclasses.dataclass(frozen=True)
class ScriptServer:
    """A server for testdrive scripts."""

    url: str
    variables: Mapping[str, str]
    """Variables of scripts with the server's addresses."""
    services: ServiceAddresses
    renew: Callable[[], object] = lambda: None
    """Resets the server to its first state. Called before each script."""


class Footprints(abc.ABC):
    """Measures which catalog rows operations write and read, in the working database of a started target."""

    @abc.abstractmethod
    def measure(self, side: Side) -> Footprint:
        """The footprint of an operation on its object. CommandFailed when the operation does not succeed alone."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the sessions that it used."""


class Database(abc.ABC):
    """One kind of system under test.

    Abstract methods must be implemented. The defaults of the others are for a database without the capability: a command that
    needs it reports that in one line and ends with exit code 2.
    """

    dialect: Dialect
    summary: str
    """One line for `racehound targets`: a description, and the ways in which a run gets a server."""
    is_default: bool = False
    """Whether commands use this database when the user names none. At most one installed database may be the default one."""
    can_start: bool = False
    """Whether racehound can start its servers, several at the same time. If not, a choice always has a `url`."""
    can_step: bool = False
    """Whether its targets can be run in lock-step: explore, matrix, reduce."""
    oracles: tuple[str, ...] = CORE_ORACLES
    """Names of the oracles that judge its runs, in this order. They are core ones, or its own (`own_oracles`)."""

    @property
    def name(self) -> str:
        """The word that users write for the database."""
        return self.dialect.name

    @property
    def title(self) -> str:
        """Its official name."""
        return self.dialect.title

    # Servers

    @abc.abstractmethod
    def opened(self, choice: Choice, run_id: str, directory: Path, log_path: Path) -> contextlib.AbstractContextManager[Target]:
        """Start the chosen target. On exit, remove the run's objects, and stop everything that racehound started.

        `directory`: the run's scratch directory. `log_path`: the log file for a server that racehound starts.
        """

    def options(self) -> Sequence[click.Option]:
        """Further options of the commands that open a target. An option that several databases have must be equal in all."""
        return ()

    def read_options(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 whatever `opened` understands
        """The value for `Choice.options`. `values`: the values of all options of the command, by parameter name. UserError."""
        del values

    def recognises(self, session: Session) -> bool:  # noqa: ARG002 the default is the same for all servers
        """Whether the server of a session is one of this database."""
        return False

    def clean(self, url: str, values: Mapping[str, Any], *, dry_run: bool) -> Iterator[str]:  # noqa: ARG002 see the message
        """Remove what killed runs left in the server at an address. Yields a line for each removed object. TargetError.

        `values`: the values of all options of the command. `run_id` in it is a run that has ended, according to the user.
        """
        raise UserError(f"racehound clean --url: racehound cannot remove the objects of killed runs from {self.title}")

    def script_options(self) -> Sequence[click.Option]:
        """Further options of `racehound testdrive`."""
        return ()

    def script_addresses(
        self,
        values: Mapping[str, Any],  # noqa: ARG002 it adds nothing
        services: ServiceAddresses,
    ) -> tuple[ServiceAddresses, Mapping[str, str]]:
        """The services and the variables of scripts, with the values of its script options added. It applies to all targets."""
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
        """A server for `racehound testdrive`: the one at `choice.url`, or one that racehound starts."""
        del choice, values, services
        raise UserError(f"racehound testdrive --target {self.name}: {self.title} runs no scripts")

    @property
    def actions(self) -> Mapping[str, Spec]:
        """The actions that it adds to the testdrive language."""
        return {}

    # Kinds

    def kinds(self) -> Sequence[type[Kind]]:
        """Its kinds in a fixed order, with new ones at the end, since seeds draw kinds by their position."""
        return ()

    def may_have(self, choice: Choice, kind: type[Kind]) -> bool:  # noqa: ARG002 it is not known before the start
        """Whether a server of this choice can have objects of a kind, as far as is known before it is started."""
        return True

    def kind_bases(self) -> KindBases | None:
        """The base classes for kinds from outside racehound; None for a database without kinds."""
        return None

    def plain_table(self, name: str) -> Kind:  # noqa: ARG002 see the message
        """A plain table, over which the two objects of a pair of operations are built."""
        raise UserError(f"{self.title} has no plain table to build pairs of operations over, so it has no matrix")

    # Oracles and perturbations

    def own_oracles(self) -> Mapping[str, Callable[[], Oracle]]:
        """Its own oracles, by their names in `oracles`."""
        return {}

    def perturbations(self) -> Sequence[type[Perturbation]]:
        """Its own perturbations, besides those that work on every database."""
        return ()

    def footprints(self, target: Target) -> Footprints:  # noqa: ARG002 it cannot measure
        """The object that measures the footprints of operations for the matrix."""
        raise UserError(
            f"racehound matrix needs to know which catalog rows an operation touches, and {self.title} does not show that"
        )

    # Hand-over

    def hand_over(self, scene: Scene, finding: Finding, title: str) -> HandOver | None:  # noqa: ARG002 no format of its own
        """A reduced finding in formats that run without racehound; None if only testdrive scripts are to be written."""
        return None

    def verify_hand_over(
        self,
        directory: Path,  # noqa: ARG002 nothing is verified
        scene: Scene,  # noqa: ARG002
        finding: Finding,  # noqa: ARG002
        release: str,  # noqa: ARG002
        scratch: Path,  # noqa: ARG002
        limit_s: float,  # noqa: ARG002
        *,
        fetch: bool,  # noqa: ARG002
    ) -> Verification | None:
        """Run the files of `hand_over` in a directory on a server of that release as others have it; None if that is impossible.

        `scratch`: a directory for the server. `limit_s`: seconds for all of it. `fetch`: also get a release that is not here.
        The result says what hindered it.
        """
        return None
