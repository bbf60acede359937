"""MinIO, an S3 server that is built from source, for which it needs Go. Its answers and errors are most like Amazon's."""

from __future__ import annotations

from racehound.services import s3
from racehound.services.artifacts.artifact import Artifact, installed_path
from racehound.services.artifacts.go import GoProgram
from racehound.services.process import Command
from racehound.services.service import CLIENT, Container, ServiceLayout

MC = GoProgram("github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9", "mc", needs=(1, 23))
"""MinIO's client, with which users can inspect a server. racehound itself does not use it."""
_SERVER = GoProgram("github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c", "minio", needs=(1, 24))


class MinioService(s3.S3Service):
    name = "minio"
    role = "s3"
    version = "2026-02-12"
    administrator = s3.ACCESS_KEY_ID
    external_password = s3.EXTERNAL_SECRET
    summary = "S3 by MinIO"

    def artifacts(self) -> tuple[Artifact, ...]:
        return (_SERVER, MC)

    def prepare(self, layout: ServiceLayout) -> None:
        (layout.directory / "data").mkdir()

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:
        arguments = ("server", "--quiet", "--address", str(layout.endpoints[CLIENT]), str(layout.directory / "data"))
        # The console would need a second port, and the update check would use the network.
        quiet = {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "MINIO_REGION_NAME": s3.REGION}
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(layout.directory),
            "TZ": "UTC",
            **_account(layout.access.password),
            **quiet,
        }
        return (Command((str(installed_path(_SERVER)), *arguments), env=environment),)

    def container(self, password: str) -> Container:
        return Container(
            image="minio/minio",
            ports={CLIENT: 9000},
            environment={**_account(password), "MINIO_REGION_NAME": s3.REGION},
            command=("server", "/data"),
            volumes=("/data",),
        )


def _account(password: str) -> dict[str, str]:
    return {"MINIO_ROOT_USER": s3.ACCESS_KEY_ID, "MINIO_ROOT_PASSWORD": password}
