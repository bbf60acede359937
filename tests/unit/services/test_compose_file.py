"""The compose file: valid by the Compose Specification's own schema, nothing beyond loopback, and every value as it was given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from racehound.databases.materialize.server import MaterializeService
from racehound.databases.materialize.start import needed_services
from racehound.services.artifacts.artifact import Artifact, cache_dir
from racehound.services.backends import compose_file
from racehound.services.backends.compose_file import ComposeService, Document
from racehound.services.catalogue import find, services
from racehound.services.process import Command
from racehound.services.service import CLIENT, Access, Container, Service, ServiceLayout

_SCHEMA_MODULE = "github.com/compose-spec/compose-go/v2"
_SCHEMA_VERSION = "v2.16.2"
_LABELS = {"racehound.owner": '{"pid":1,"namespace":"pid:[1]"}'}
_AWKWARD = {
    "DOLLAR": "$HOME ${HOME:-x} $$ $",
    "QUOTES": "a \"b\" 'c' \\d",
    "YAML": "- a: b # c\n? d\t&e *f !g %h @i",
    "LETTERS": "äöü 😀",
    "LOOKS_LIKE_A_NUMBER": "0123",
    "LOOKS_LIKE_NO": "no",
    "EMPTY": "",
}


class _Sample(Service):
    """A service of these tests alone."""

    name = "sample-one"
    role = "sample"
    version = "1"
    summary = ""
    ports = (CLIENT, "admin")

    def artifacts(self) -> tuple[Artifact, ...]:
        return ()

    def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:  # noqa: ARG002
        return ()

    def check(self, access: Access) -> None:  # noqa: ARG002
        return

    def container(self, password: str) -> Container:  # noqa: ARG002
        advertised = {"ADVERTISED": "at 127.0.0.1:{host_port:client}, {host_port:admin}", "BRACES": "{a} {}"}
        return Container(
            image="sample:1",
            ports={CLIENT: 1000, "admin": 2000},
            environment={**advertised, **_AWKWARD},
            command=("serve", "--data=$DATA"),
            volumes=("/data",),
        )


class _Wrong(_Sample):
    def container(self, password: str) -> Container:  # noqa: ARG002
        return Container(image="sample:1", ports={CLIENT: 1000}, environment={"PORT": "{host_port:admin}"})


def _document(*wanted: Service) -> Document:
    placed = [
        ComposeService(service, "pw", {name: 20_000 + 10 * number + at for at, name in enumerate(service.container("").ports)})
        for number, service in enumerate(wanted)
    ]
    return compose_file.document("racehound-tests-0a1b2c3d", placed, _LABELS)


def _read_back(document: Document) -> dict[str, Any]:
    """What is in the file, by a reader that knows no variables."""
    read: dict[str, Any] = json.loads(compose_file.text(document).replace("$$", "$"))
    return read


@pytest.fixture(scope="module")
def validator() -> Any:
    """Validates by the schema of the Compose Specification, which its Go library carries."""
    jsonschema = pytest.importorskip("jsonschema", reason="the schema is checked by the package jsonschema (extra dev)")
    if shutil.which("go") is None:
        pytest.skip("the schema of the Compose Specification is fetched by Go, and there is no go: apt-get install golang")
    modules = cache_dir() / "compose-spec"
    modules.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOMODCACHE": str(modules), "GOFLAGS": "-modcacherw"}
    done = subprocess.run(
        ["go", "mod", "download", "-json", f"{_SCHEMA_MODULE}@{_SCHEMA_VERSION}"],
        env=environment, cwd=modules, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"the schema of the Compose Specification could not be fetched: {done.stderr or done.stdout}")
    schema = json.loads((Path(json.loads(done.stdout)["Dir"]) / "schema" / "compose-spec.json").read_bytes())
    return jsonschema.validators.validator_for(schema)(schema)


@pytest.fixture(scope="module")
def docker_compose() -> str:
    """The docker command, with its compose plugin; no engine is needed to read a file."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("docker compose is not installed: the file is checked by its schema only")
    return docker


def _errors(validator: Any, document: Document) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_file_of_every_service_is_valid(validator: Any) -> None:
    assert _errors(validator, _read_back(_document(*services(), _Sample()))) == []


def test_the_file_of_a_materialize_with_the_services_that_its_kinds_need_is_valid(validator: Any) -> None:
    around = [find(name) for name in needed_services([])]
    read = _read_back(_document(*around, MaterializeService(image="materialize/materialized:v26.1.0")))
    assert _errors(validator, read) == []
    target = read["services"]["materialized"]
    assert target["image"] == "materialize/materialized:v26.1.0"
    assert {port.rpartition(":")[2] for port in target["ports"]} == {"6875", "6876", "6877", "6878"}
    assert all(port.startswith("127.0.0.1:") for port in target["ports"])


def test_the_schema_tells_a_wrong_file_from_a_right_one(validator: Any) -> None:
    document = _read_back(_document(_Sample()))
    document["services"]["sample-one"]["pul_policy"] = "never"
    document["services"]["sample-one"]["ports"] = "127.0.0.1:1:2"
    errors = _errors(validator, document)
    assert len(errors) == 2
    assert any("pul_policy" in error for error in errors)


def test_docker_compose_reads_what_was_meant(docker_compose: str, tmp_path: Path) -> None:
    path = tmp_path / compose_file.NAME
    path.write_text(compose_file.text(_document(*services(), _Sample())), encoding="utf-8")
    command = [docker_compose, "compose", "--file", str(path), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    # What it prints is a compose file again, with each dollar doubled.
    read = json.loads(done.stdout.replace("$$", "$"))
    sample = read["services"]["sample-one"]
    assert {key: sample["environment"][key] for key in _AWKWARD} == _AWKWARD
    assert sample["command"] == ["serve", "--data=$DATA"]
    assert sample["labels"] == _LABELS
    published = [port for service in read["services"].values() for port in service["ports"]]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert read["networks"]["default"]["name"] == "racehound-tests-0a1b2c3d"


def test_ports_lead_from_loopback_into_the_container_and_nowhere_else() -> None:
    read = _read_back(_document(*services(), _Sample()))
    assert read["services"]["sample-one"]["ports"][0].endswith(":1000")
    for entry in read["services"].values():
        assert entry["ports"]
        assert all(port.startswith("127.0.0.1:") and port.count(":") == 2 for port in entry["ports"])
        assert "network_mode" not in entry
        assert "expose" not in entry


def test_the_ports_of_this_machine_stand_where_the_environment_asks_for_them() -> None:
    environment = _read_back(_document(_Sample()))["services"]["sample-one"]["environment"]
    assert environment["ADVERTISED"] == "at 127.0.0.1:20000, 20001"
    assert environment["BRACES"] == "{a} {}"


def test_a_port_that_the_container_does_not_have_is_a_mistake_of_the_service() -> None:
    with pytest.raises(ValueError, match="sample-one: its container has no port 'admin'"):
        _document(_Wrong())


def test_nothing_is_downloaded_started_again_or_left_unmarked() -> None:
    read = _read_back(_document(_Sample()))
    entry = read["services"]["sample-one"]
    assert (entry["pull_policy"], entry["restart"], entry["volumes"]) == ("never", "no", ["/data"])
    assert entry["labels"] == read["networks"]["default"]["labels"] == _LABELS
    assert "volumes" not in read


def test_a_service_is_known_in_the_network_by_its_role_too() -> None:
    entry = _read_back(_document(_Sample()))["services"]["sample-one"]
    assert entry["networks"] == {"default": {"aliases": ["sample"]}}
