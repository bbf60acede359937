"""MinIO, an S3 server that is built from source, for which it needs Go. Its answers and errors are most like Amazon's."""

from __future__ import annotations

from collections.abc import Mapping

from racehound.services import s3
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.go import GoProgram
from racehound.services.process import Command
from racehound.services.service import CLIENT, Container, Endpoints, Service, ServiceLayout

MC = GoProgram("github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9", "mc", needs=(1, 23))
"""MinIO's client, with which users can inspect a server. racehound itself does not use it."""
_SERVER = GoProgram("github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c", "minio", needs=(1, 24))
_ACCOUNT = {"MINIO_ROOT_USER": s3.ACCESS_KEY_ID, "MINIO_ROOT_PASSWORD": s3.SECRET_ACCESS_KEY}


class MinioService(Service):
    name = "minio"
    role = "s3"
    version = "2026-02-12"
    summary = "S3 by MinIO"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_SERVER, MC)

    def prepare(self, layout: ServiceLayout) -> None:
        (layout.directory / "data").mkdir()

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        arguments = ("server", "--quiet", "--address", str(layout.endpoints[CLIENT]), str(layout.directory / "data"))
        # The console would need a second port, and the update check would use the network.
        quiet = {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "MINIO_REGION_NAME": s3.REGION}
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(layout.directory), "TZ": "UTC", **_ACCOUNT, **quiet}
        return (Command((str(installed_path(_SERVER)), *arguments), env=environment),)

    def check(self, endpoints: Endpoints) -> None:
        s3.check_answer(endpoints)

    def initialise(self, endpoints: Endpoints) -> None:
        s3.make_bucket(endpoints)

    def variables(self, endpoints: Endpoints) -> Mapping[str, str]:
        return s3.variables_of(endpoints)

    def container(self) -> Container:
        return Container(
            image="minio/minio",
            ports={CLIENT: 9000},
            environment={**_ACCOUNT, "MINIO_REGION_NAME": s3.REGION},
            command=("server", "/data"),
            volumes=("/data",),
        )
