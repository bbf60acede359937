"""What many kinds share: the manipulations that come with a name, an owner, a comment."""

from __future__ import annotations

from typing import ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.text import TIMES, Statements, run
from racehound.kinds.kind import Fragment, manipulation


class Named(MaterializeKind):
    """It can be renamed."""

    short: ClassVar[str] = ""
    """What its temporary name ends in."""

    @property
    def temporary(self) -> str:
        """The suffix of its temporary name."""
        return f"_tmp_{self.short}"

    def renaming(self) -> Statements:
        """The statements that rename it and rename it back, after removing what an interrupted life has left."""
        return (
            f"DROP {self.noun} IF EXISTS {self.spelling(self.temporary)}",
            f"ALTER {self.noun} {self.spelling()} RENAME TO {self.label(self.temporary)}",
            f"ALTER {self.noun} {self.spelling(self.temporary)} RENAME TO {self.label()}",
        )


class Renamed(Named):
    """The first thing that is done to it is renaming it, twice."""

    @manipulation
    def rename(self) -> Fragment:
        return run(*self.renaming())


class Owned(MaterializeKind):
    """It has an owner, the user of the run or, for a while, whoever has one."""

    @manipulation
    def reown(self) -> Fragment:
        """To the same owner: what is checked and written is what a change would check and write."""
        owner = self.base.role or "${racehound.user}"
        return run(*[f"ALTER {self.noun} {self.ident} OWNER TO {owner}"] * TIMES)


class Commented(MaterializeKind):
    """It can have a comment."""

    @manipulation
    def comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS '{self.name}'", f"COMMENT ON {self.noun} {self.ident} IS NULL")
