"""Executes COPY … TO S3: writes the rows of a query as files (https://materialize.com/docs/sql/copy-to/)."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from racehound_zoo.backend import Field, Parameters, Row, Rows
from racehound_zoo.catalog.privileges import require_item
from racehound_zoo.dialect.parts import Options, option
from racehound_zoo.dialect.statements import CopyToS3
from racehound_zoo.errors import SqlError
from racehound_zoo.execution.querying import select
from racehound_zoo.execution.result import Result
from racehound_zoo.execution.session import Session
from racehound_zoo.sources.facts import connection_facts
from racehound_zoo.sources.s3 import S3Location, s3_client

_SIZE, _SIZE_LEAST = 256 << 20, 16 << 20
"""The default and the smallest size of a file, in bytes."""
_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_PARQUET = {
    16: "BOOLEAN", 17: "BLOB", 20: "BIGINT", 21: "SMALLINT", 23: "INTEGER", 700: "REAL", 701: "DOUBLE", 1082: "DATE",
    1083: "TIME", 1114: "TIMESTAMP", 1184: "TIMESTAMPTZ", 1700: "DECIMAL(38, 10)", 2950: "UUID",
}  # fmt: skip
"""The types of Parquet columns by the OID of the column. All other types are written as text."""


def copy_to_s3(session: Session, statement: CopyToS3) -> Result:
    """Execute COPY … TO S3. SqlError if the query cannot be read or the files cannot be written."""
    if session.transaction is not None:
        session.transaction.become("reading")
    state = session.state
    connection = state.find(statement.connection, session.scope)
    if connection.kind != "connection":
        raise SqlError(f"{'.'.join(statement.connection)} is not an AWS CONNECTION")
    require_item(state, session.scope, connection, "USAGE")
    form = option(statement.options, "FORMAT")
    if form is None or form.text.lower() not in {"csv", "parquet"}:
        raise SqlError("COPY ... TO <expr> only supports FORMAT CSV and FORMAT PARQUET", "0A000")
    location = S3Location(_evaluated(session, statement.uri))
    limit = _limit(statement.options)
    rows = select(session, statement.inner, Parameters(), 0)
    is_csv = form.text.lower() == "csv"
    files = _csv_files(rows, limit, statement.options) if is_csv else _parquet_files(rows, limit)
    suffix, moment = form.text.lower(), session.engine.storage.now()
    with s3_client(connection_facts(state, connection.id)) as client:
        client.put_object(Bucket=location.bucket, Key=location.key(f"INCOMPLETE-{moment}"), Body=b"")
        for number, content in enumerate(files):
            client.put_object(Bucket=location.bucket, Key=location.key(f"mz_{moment}_batch_{number:06}.{suffix}"), Body=content)
        client.delete_object(Bucket=location.bucket, Key=location.key(f"INCOMPLETE-{moment}"))
    return Result(f"COPY {len(rows.rows)}")


def _evaluated(session: Session, expression: str) -> str:
    with session.engine.storage.reader() as backend:
        return (backend.run(f"SELECT ({expression})::text").rows[0][0] or b"").decode()


def _limit(options: Options) -> int:
    """The largest size of a file, in bytes."""
    given = option(options, "MAX FILE SIZE")
    if given is None:
        return _SIZE
    found = re.fullmatch(r"(\d+)\s*([KMG]?B)?", given.text.strip(), re.IGNORECASE)
    size = int(found[1]) * _UNITS[(found[2] or "").upper()] if found else 0
    if size < _SIZE_LEAST:
        raise SqlError("MAX FILE SIZE cannot be less than 16MB")
    return size


def _csv_files(rows: Rows, limit: int, options: Options) -> Iterator[bytes]:
    header = option(options, "HEADER")
    names = [field.name for field in rows.fields] if header is not None and header.truth else None
    for part in _parts(rows.rows, limit):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if names is not None:
            writer.writerow(names)
        writer.writerows([None if value is None else value.decode() for value in row] for row in part)
        yield text.getvalue().encode()


def _parquet_files(rows: Rows, limit: int) -> Iterator[bytes]:
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise SqlError(f"Parquet needs the package {error.name}: pip install racehound-zoo") from error
    columns = ", ".join(f"CAST(#{number} AS {_PARQUET.get(field.oid, 'VARCHAR')}) AS {_quoted(field)}"
                        for number, field in enumerate(rows.fields, start=1))  # fmt: skip
    texts = ", ".join(f"c{number} VARCHAR" for number in range(len(rows.fields)))
    marks = ", ".join("?" for _ in rows.fields)
    for part in _parts(rows.rows, limit):
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect(":memory:") as database:
            database.execute("SET TimeZone = 'UTC'")
            database.execute(f"CREATE TABLE given ({texts})")
            if part:
                database.executemany(f"INSERT INTO given VALUES ({marks})", [_texts(row) for row in part])
            database.sql(f"SELECT {columns} FROM given").write_parquet(file.name)
            yield Path(file.name).read_bytes()


def _quoted(field: Field) -> str:
    escaped = field.name.replace('"', '""')
    return f'"{escaped}"'


def _texts(row: Row) -> list[str | None]:
    return [None if value is None else value.decode() for value in row]


def _parts(rows: Sequence[Row], limit: int) -> Iterator[Sequence[Row]]:
    """Divide the rows into files. A file ends with the row that reaches the limit. Without rows there is one empty file."""
    begin = size = 0
    for number, row in enumerate(rows):
        size += sum(len(value) + 1 for value in row if value is not None)
        if size >= limit:
            yield rows[begin : number + 1]
            begin, size = number + 1, 0
    if begin < len(rows) or not rows:
        yield rows[begin:]
