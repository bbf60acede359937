"""MariaDB, in the release of the machine's Debian or Ubuntu, for machines on which MySQL cannot be installed.

Its protocol, its statements and its binary log with rows are like MySQL's. However, its GTIDs have another format (`0-1-42`), and
it has no variable `gtid_mode`. Therefore some readers of change streams, such as Materialize, refuse this server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from racehound.errors import TargetError
from racehound.services import credentials, process
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.debian import DebianPackages, libraries
from racehound.services.mysql import (
    EXTERNAL_PASSWORD,
    FRUGAL_OPTIONS,
    STREAM_OPTIONS,
    as_root,
    check_answer,
    client_file_of,
    root_sql,
    variables_of,
)
from racehound.services.process import Command
from racehound.services.service import CLIENT, LOOPBACK, Access, ClientFile, Container, Service, ServiceLayout

_PACKAGES = DebianPackages(
    ("mariadb-server-core", "libaio1 | libaio1t64", "libnuma1", "liburing2", "libpcre2-8-0", "libssl3 | libssl3t64"),
    "usr/sbin/mariadbd",
)
_SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
_BEFORE = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
# These users have no password, and the server would match them before the one that has.
_AFTER = "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';\nFLUSH PRIVILEGES;\n"
_INITIALISE_LIMIT_S = 180.0


class MariadbService(Service):
    name = "mariadb"
    role = "mysql"
    version = "10.11"
    administrator = "root"
    external_password = EXTERNAL_PASSWORD
    summary = "MariaDB in MySQL's place, without MySQL's GTIDs"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_PACKAGES,)

    def prepare(self, layout: ServiceLayout) -> None:
        """Initialise the data as `mariadb-install-db` does, which reads facts about the system that do not apply here."""
        tables = installed_path(_PACKAGES) / "usr" / "share" / "mysql"
        script, log = layout.directory / "first.sql", layout.directory / "initialise.log"
        system = "".join((tables / name).read_text(encoding="utf-8") for name in _SYSTEM_TABLES)
        credentials.write(script, f"{_BEFORE}{system}\n{_AFTER}{root_sql(layout.access.password)}")
        (layout.directory / "data").mkdir()
        server = self._command(layout, "--bootstrap", log=log)
        command = Command(("sh", "-c", 'exec "$@" < "$0"', str(script), *server.argv), env=server.env, log=log)
        if process.run(command, _INITIALISE_LIMIT_S) != 0:
            raise TargetError(f"mariadbd --bootstrap failed: {' '.join(log.read_text(errors='replace').split())}")

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        address = (f"--bind-address={LOOPBACK}", f"--port={layout.endpoints[CLIENT].port}", "--skip-name-resolve")
        files = ("--socket=mariadbd.sock", "--pid-file=mariadbd.pid", "--secure-file-priv=")
        return (self._command(layout, *address, *files, *STREAM_OPTIONS, log=layout.log),)

    def check(self, access: Access) -> None:
        check_answer(access)

    def variables(self, access: Access) -> Mapping[str, str]:
        return variables_of(access)

    def client_file(self, access: Access) -> ClientFile:
        return client_file_of(access, "mariadb")

    def container(self, password: str) -> Container:
        return Container(
            image="mariadb:10.11",
            ports={CLIENT: 3306},
            environment={"MARIADB_ROOT_PASSWORD": password},
            command=("mariadbd", *STREAM_OPTIONS),
            volumes=("/var/lib/mysql",),
        )

    def _command(self, layout: ServiceLayout, *arguments: str, log: Path) -> Command:
        root = installed_path(_PACKAGES)
        messages, plugins = root / "usr" / "share" / "mysql", root / "usr" / "lib" / "mysql" / "plugin"
        where = (f"--datadir={layout.directory / 'data'}", f"--lc-messages-dir={messages}", f"--plugin-dir={plugins}")
        options = ("--no-defaults", *as_root(), *where, *FRUGAL_OPTIONS, "--innodb-log-file-size=16M")
        return Command(
            argv=(str(root / "usr" / "sbin" / "mariadbd"), *options, *arguments),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "LD_LIBRARY_PATH": libraries(root)},
            log=log,
        )
