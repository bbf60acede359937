"""What many kinds share: the manipulations that come with a name, an owner, a comment."""

from __future__ import annotations

from typing import ClassVar

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.text import TIMES, run
from racehound.kinds.kind import Fragment, Manipulations, changes


class Named(MaterializeKind):
    """It can be renamed."""

    manipulations: ClassVar[Manipulations] = {}
    short: ClassVar[str] = ""
    """What its temporary name ends in."""

    @property
    def temporary(self) -> str:
        """The suffix of its temporary name."""
        return f"_tmp_{self.short}"

    @changes
    def drop_renamed(self) -> Fragment:
        """What an interrupted rename has left under the temporary name."""
        return run(f"DROP {self.noun} IF EXISTS {self.spelling(self.temporary)}")

    @changes
    def rename(self) -> Fragment:
        return run(f"ALTER {self.noun} {self.spelling()} RENAME TO {self.bare_name(self.temporary)}")

    @changes
    def rename_back(self) -> Fragment:
        return run(f"ALTER {self.noun} {self.spelling(self.temporary)} RENAME TO {self.bare_name()}")


class Renamed(Named):
    """The first thing that is done to it is renaming it, twice."""

    manipulations: ClassVar[Manipulations] = {
        "rename": ("drop_renamed", "rename", "rename_back"),
    }


class Owned(MaterializeKind):
    """It has an owner, the user of the run or, for a while, whoever has one."""

    manipulations: ClassVar[Manipulations] = {
        "reown": ("change_owner",) * TIMES,
    }

    @changes
    def change_owner(self) -> Fragment:
        """To the same owner: the server checks and writes what it would check and write for another one."""
        return run(f"ALTER {self.noun} {self.ident} OWNER TO {self.base.role or '${racehound.user}'}")


class Commented(MaterializeKind):
    """It can have a comment."""

    manipulations: ClassVar[Manipulations] = {
        "comment": ("comment", "remove_comment"),
    }

    @changes
    def comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS '{self.name}'")

    @changes
    def remove_comment(self) -> Fragment:
        return run(f"COMMENT ON {self.noun} {self.ident} IS NULL")
