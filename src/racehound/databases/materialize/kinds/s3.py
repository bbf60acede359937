"""Copies into S3."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from racehound.databases.materialize.kinds.base import MaterializeKind
from racehound.databases.materialize.kinds.text import Statements, action, run, set_variable
from racehound.kinds.kind import Fragment, reads


@dataclasses.dataclass(frozen=True)
class CopyToS3(MaterializeKind):
    """A copy of the base into S3, made again and again. Verified: a copy has no fewer rows than the base had before.

    Where rows may go, only that it can be read.
    """

    encoding: Literal["csv", "parquet"] = "csv"

    requires: ClassVar[frozenset[str]] = frozenset({"s3"})
    can_be_referenced: ClassVar[bool] = False
    noun: ClassVar[str] = "CONNECTION"
    weight: ClassVar[int] = 4

    def create_statements(self) -> Statements:
        address = "ENDPOINT '${testdrive.aws-endpoint}', REGION '${testdrive.aws-region}'"
        login = f"ACCESS KEY ID '${{testdrive.aws-access-key-id}}', SECRET ACCESS KEY SECRET {self.name}_pass"
        return (
            f"CREATE SECRET {self.name}_pass AS '${{testdrive.aws-secret-access-key}}'",
            f"CREATE CONNECTION {self.ident} TO AWS ({address}, {login})",
        )

    def removal_statements(self, if_exists: str = "") -> Statements:
        return f"DROP CONNECTION {if_exists}{self.ident} CASCADE", f"DROP SECRET {if_exists}{self.name}_pass CASCADE"

    def _copying(self, query: str, key: str) -> str:
        how = f"AWS CONNECTION = {self.ident}, FORMAT = '{self.encoding}'"
        return f"COPY ({query}) TO 's3://${{racehound.run}}/{key}' WITH ({how})"

    @reads
    def copy(self) -> Fragment:
        return run(self._copying(self.query, self.name))

    def verify(self) -> Fragment:
        counted, moment = f"{self.name}-rows", f"{self.name}-copy"
        least = f"${{{counted}}}" if self.base.only_grows else "0"
        key = f"{self.name}-${{{moment}}}"
        whole = f"SELECT CASE WHEN count(*) >= {least} THEN 'whole' ELSE 'less' END AS it FROM ({self.query}) AS q"
        return (
            set_variable(counted, f"SELECT count(*) FROM ({self.query}) AS q")
            + set_variable(moment, "SELECT mz_now()::text")
            + run(self._copying(whole, key))
            + action(f"s3-verify-data bucket=${{racehound.run}} key={key}", "whole")
            + self.verify_catalog()
        )
