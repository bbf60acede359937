"""The backend `docker`, as far as it can be tested where no container engine runs.

A recording stand-in for the command `docker` logs its arguments and gives canned answers. That shows which commands are given, in
what order, and that they are given when racehound is killed; the real client, where it is installed, shows that it understands
every one of them. It does not show what an engine makes of them.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from racehound.errors import RacehoundError, TargetError, UserError
from racehound.services import catalogue, scratch
from racehound.services.artifacts.artifact import Artifact
from racehound.services.backends import docker_leftovers
from racehound.services.backends.docker import DockerInstance, check_needs, pull
from racehound.services.backends.docker_project import DockerProject
from racehound.services.composition import Composition, ServiceRequest, with_needs
from racehound.services.owner import Owner, myself
from racehound.services.process import Command
from racehound.services.service import CLIENT, Access, Container, Endpoint, Service, ServiceLayout

_REAL = shutil.which("docker")
_STAND_IN = """#!{python} -IS
import json, os, sys, time
from pathlib import Path
directory, arguments = Path({directory!r}), sys.argv[1:]
def log(what):
    with (directory / "log").open("a") as file:
        file.write(json.dumps([what, os.getpid(), arguments]) + "\\n")
answers = json.loads((directory / "answers").read_text())
answer = next((each for each in answers if set(each["to"]) <= set(arguments)), {{}})
log("begin")
time.sleep(answer.get("seconds", 0))
log("end")
sys.stdout.write(answer.get("says", ""))
sys.stderr.write(answer.get("complains", ""))
sys.exit(answer.get("code", 0))
"""
_OWNER = """
import sys, time
from pathlib import Path
from racehound.services import scratch
from racehound.services.backends.docker import DockerInstance
from racehound.services.backends.docker_project import DockerProject
from racehound.services.catalogue import find
directory = scratch.create("docker.killed")
project = DockerProject("killed", directory)
instance = DockerInstance(find("postgres"), project)
instance.prepare()
print(directory, project.name, flush=True)
instance.start()
print(project._guard._guard.pid, flush=True)
time.sleep(1000)
"""
_RUNNING: dict[str, Any] = {
    "State": {"Status": "running", "ExitCode": 0, "Error": "", "OOMKilled": False, "Pid": 77},
    "NetworkSettings": {"Ports": {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "20001"}], "9/tcp": None}},
}


class StandIn:
    """Speaks to the stand-in: what it is to answer, what it was told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        program = directory / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(_STAND_IN.format(python=sys.executable, directory=str(directory)))
        program.chmod(0o755)
        self.path = program.parent
        self._answers: list[dict[str, Any]] = []
        self.answer("context", "inspect", says="unix:///var/run/docker.sock\n")
        self.answer("ps", says="")
        self.container(_RUNNING)

    def answer(self, *to: str, **answer: object) -> None:
        """How commands with all of these words are answered from now on."""
        self._answers.insert(0, {"to": to, **answer})
        fresh = self._directory / "answers.new"
        fresh.write_text(json.dumps(self._answers))
        fresh.replace(self._directory / "answers")

    def container(self, told: object) -> None:
        """What is told of every container."""
        self.answer("container", "inspect", says=json.dumps(told) + "\n")

    def events(self) -> list[tuple[str, int, list[str]]]:
        """`begin` or `end`, the stand-in's process id, and its arguments."""
        log = self._directory / "log"
        return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []

    def told(self) -> list[list[str]]:
        """The commands that it was given, each as its arguments."""
        return [arguments for what, _, arguments in self.events() if what == "begin"]

    def changes(self, project: DockerProject) -> list[str]:
        """The commands that change something, without the project's name and file."""
        options = ["compose", "--project-name", project.name, "--file", str(project.file)]
        return [" ".join(each[len(options) :]) for each in self.told() if each[: len(options)] == options]

    def await_told(self, *words: str, within: float) -> int:
        """Wait for a command with all of these words to have begun; its process id."""
        deadline = time.monotonic() + within
        while True:
            for what, pid, arguments in self.events():
                if what == "begin" and set(words) <= set(arguments):
                    return pid
            assert time.monotonic() < deadline, f"no command with {words} within {within:g} s, but {self.told()}"
            time.sleep(0.01)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(tmp_path)
    monkeypatch.setenv("PATH", f"{made.path}:{os.environ['PATH']}")
    return made


@pytest.fixture
def project(stand_in: StandIn) -> Iterator[DockerProject]:
    directory = scratch.create("docker.tests")
    project = DockerProject("Tests of mine", directory)
    yield project
    if project._guard is not None:
        project._guard.kill()
    scratch.remove(directory)


@pytest.fixture
def postgres(project: DockerProject) -> DockerInstance:
    return DockerInstance(catalogue.find("postgres"), project)


def _service(called: str, *needed: str, inside: int = 1000, roles: tuple[str, ...] = ()) -> Service:
    """A service of these tests alone, whose server is always ready."""

    class Sample(Service):
        name = called
        role = called
        version = "1"
        summary = ""
        needs = needed

        def artifacts(self) -> tuple[Artifact, ...]:
            return ()

        def commands(self, layout: ServiceLayout) -> tuple[Command, ...]:  # noqa: ARG002
            return ()

        def check(self, access: Access) -> None:  # noqa: ARG002
            return

        def container(self, password: str) -> Container:  # noqa: ARG002
            return Container(image=f"{called}:1", ports={CLIENT: 1000}, inside={CLIENT: inside}, needs=roles)

    return Sample()


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three services instead of the real ones: `top` needs `middle`, which needs `base`."""
    services = (_service("base"), _service("middle", "base"), _service("top", "middle"))
    monkeypatch.setattr(catalogue, "services", lambda: services)


def _quiet(_name: str, _what: str) -> None:
    return


# A life


def test_a_life_is_these_commands(stand_in: StandIn, project: DockerProject, postgres: DockerInstance) -> None:
    postgres.prepare()
    assert json.loads(project.file.read_text())["services"].keys() == {"postgres"}
    postgres.start()
    postgres.start()
    postgres.pause()
    postgres.resume()
    postgres.kill()
    stand_in.container({**_RUNNING, "State": {**_RUNNING["State"], "Status": "exited", "ExitCode": 137}})
    assert not postgres.alive()
    postgres.kill()
    postgres.start()
    postgres.stop()
    assert stand_in.changes(project) == [
        "up --detach --no-deps --force-recreate --renew-anon-volumes postgres",
        "pause postgres",
        "unpause postgres",
        "kill postgres",
        "start postgres",
        "rm --stop --force --volumes postgres",
        "down --volumes --remove-orphans",
    ]
    assert not project.file.exists()


def test_addresses_are_loopback_for_this_machine_and_names_for_containers(
    project: DockerProject, postgres: DockerInstance
) -> None:
    postgres.prepare()
    port = postgres.endpoints[CLIENT].port
    assert postgres.endpoints == {CLIENT: Endpoint("127.0.0.1", port)}
    assert postgres.target_endpoints == {CLIENT: Endpoint("postgres", 5432)}
    written = json.loads(project.file.read_text())
    assert written["services"]["postgres"]["ports"] == [f"127.0.0.1:{port}:5432"]
    assert written["name"] == project.name
    assert project.name.startswith("racehound-tests-of-mine-")
    assert DockerInstance(_service("two-faced", inside=2000), project).target_endpoints == {CLIENT: Endpoint("two-faced", 2000)}


def test_the_project_ends_with_its_last_service(stand_in: StandIn, project: DockerProject) -> None:
    one, two = (DockerInstance(_service(name), project) for name in ("one", "two"))
    one.prepare()
    two.prepare()
    one.start()
    one.stop()
    assert json.loads(project.file.read_text())["services"].keys() == {"two"}
    assert project._guard is not None
    two.stop()
    assert [each.split()[0] for each in stand_in.changes(project)] == ["up", "rm", "rm", "down"]
    assert project._guard is None


def test_two_services_are_not_started_at_the_same_moment(stand_in: StandIn, project: DockerProject) -> None:
    stand_in.answer("up", seconds=0.3)
    instances = [DockerInstance(_service(name), project) for name in ("one", "two")]
    for instance in instances:
        instance.prepare()
    threads = [threading.Thread(target=instance.start) for instance in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ups = [what for what, _, arguments in stand_in.events() if "up" in arguments]
    assert ups == ["begin", "end", "begin", "end"]


def test_a_composition_goes_up_and_down_by_docker(stand_in: StandIn, project: DockerProject, chain: None, tmp_path: Path) -> None:
    directory = tmp_path / "composition"
    directory.mkdir()
    composition = Composition("tests", directory)
    composition.up([ServiceRequest("top", "docker")], _quiet)
    assert [each.service.name for each in composition.instances] == ["base", "middle", "top"]
    assert {each.backend for each in composition.instances} == {"docker"}
    assert composition.aliases()["base"] == composition.instance("base").endpoints[CLIENT]
    assert composition.deaths() == []
    composition.down(_quiet)
    words = [(each[5], each[-1]) for each in stand_in.told() if each[0] == "compose" and len(each) > 5]
    assert words == [
        *(("up", name) for name in ("base", "middle", "top")),
        *(("rm", name) for name in ("top", "middle", "base")),
        ("down", "--remove-orphans"),
    ]


# What is seen of it


def test_memory_log_and_ports_are_what_docker_says(stand_in: StandIn, postgres: DockerInstance) -> None:
    stand_in.answer("logs", says="one\n", complains="two\n")
    stand_in.answer("stats", says="1.5GiB / 7.7GiB\n")
    postgres.prepare()
    assert (postgres.alive(), postgres.memory_mib(), postgres.log(10), postgres.ports()) == (False, 0, [], [])
    postgres.start()
    assert postgres.alive()
    assert postgres.memory_mib() == 1536
    assert sorted(postgres.log(10)) == ["one", "two"]
    assert postgres.ports() == ["127.0.0.1:20001"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"Status": "exited", "ExitCode": 137, "Error": ""}, "ended with exit code 137 (SIGKILL)"),
        ({"Status": "exited", "ExitCode": 1, "Error": ""}, "ended with exit code 1"),
        (
            {"Status": "exited", "ExitCode": 137, "Error": "", "OOMKilled": True},
            "ended with exit code 137 (SIGKILL), out of memory",
        ),
        ({"Status": "created", "ExitCode": 128, "Error": "port is taken"}, "was not started: port is taken"),
    ],
)
def test_the_dead_have_an_epitaph(stand_in: StandIn, postgres: DockerInstance, state: dict[str, object], words: str) -> None:
    postgres.prepare()
    postgres.start()
    stand_in.container({"State": state, "NetworkSettings": {"Ports": {}}})
    assert not postgres.alive()
    assert postgres.exit_summary() == words


def test_a_container_that_is_gone_is_dead(stand_in: StandIn, postgres: DockerInstance) -> None:
    postgres.prepare()
    postgres.start()
    stand_in.answer("container", "inspect", says="[]\n", complains="Error response from daemon: No such container: x\n", code=1)
    assert not postgres.alive()
    assert postgres.exit_summary() == "cannot be inspected: Error response from daemon: No such container: x"
    with pytest.raises(TargetError, match="postgres does not run"):
        postgres.pause()


# What is missing


def test_without_docker_one_line_says_so(
    project: DockerProject, postgres: DockerInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs the command docker, which is not on the path"):
        postgres.prepare()
    postgres.stop()
    postgres.kill()
    assert docker_leftovers.leftovers() == []


@pytest.mark.parametrize(
    ("to", "answer", "words"),
    [
        (("compose", "version"), {"code": 1}, "needs Docker Compose"),
        (("version", "--format"), {"code": 1, "complains": "Cannot connect\n"}, "reaches no Docker engine: Cannot connect"),
        (("context", "inspect"), {"says": "tcp://10.0.0.1:2375\n"}, "on this machine, and docker uses tcp://10.0.0.1:2375"),
        (
            ("image", "inspect"),
            {"code": 1},
            "image postgres:18 is not there: racehound services install postgres --backend docker",
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_started(
    stand_in: StandIn,
    project: DockerProject,
    postgres: DockerInstance,
    to: tuple[str, ...],
    answer: dict[str, object],
    words: str,
) -> None:
    stand_in.answer(*to, **answer)
    with pytest.raises(UserError, match=words):
        postgres.prepare()
    postgres.stop()
    assert stand_in.changes(project) == []


def test_a_start_that_fails_is_told_with_dockers_reason(stand_in: StandIn, postgres: DockerInstance) -> None:
    stand_in.answer("up", complains=" Container x  Creating\nError response from daemon: port is taken\n", code=1)
    postgres.prepare()
    with pytest.raises(TargetError, match="postgres cannot be started: Error response from daemon: port is taken"):
        postgres.start()
    postgres.stop()


def test_images_are_fetched_once_and_for_what_is_needed_too(stand_in: StandIn, chain: None) -> None:
    stand_in.answer("image", "inspect", "base:1", says="sha256:1\n")
    stand_in.answer("image", "inspect", "middle:1", code=1)
    lines: list[str] = []
    pull(["middle"], lines.append)
    assert lines == ["base:1 is installed", "docker pull middle:1"]
    assert [each for each in stand_in.told() if each[0] == "pull"] == [["pull", "--quiet", "middle:1"]]
    stand_in.answer("pull", complains="no such manifest\n", code=1)
    with pytest.raises(UserError, match="cannot pull middle:1: no such manifest"):
        pull(["middle"], lines.append)


# Mixing


def test_needs_that_nobody_named_are_run_by_the_backend_of_what_needs_them(chain: None) -> None:
    assert [(each.name, each.backend) for each in with_needs([ServiceRequest("top", "docker")])] == [
        ("base", "docker"),
        ("middle", "docker"),
        ("top", "docker"),
    ]
    outside = ServiceRequest("middle", "external", Endpoint("10.0.0.1", 1))
    assert with_needs([ServiceRequest("top"), outside]) == [outside, ServiceRequest("top")]


def test_a_container_does_not_need_what_runs_outside(stand_in: StandIn, chain: None, tmp_path: Path) -> None:
    check_needs({"base": "docker", "middle": "process"})
    with pytest.raises(UserError, match="middle by docker cannot reach base by process"):
        Composition("tests", tmp_path).up([ServiceRequest("middle", "docker"), ServiceRequest("base", "process")], _quiet)
    assert stand_in.told() == []


def test_a_container_may_need_more_than_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "services", lambda: (_service("base"), _service("greedy", roles=("base",))))
    check_needs({"greedy": "process"})
    check_needs({"greedy": "docker", "base": "docker"})
    with pytest.raises(UserError, match="greedy by docker needs base: name it, too"):
        check_needs({"greedy": "docker"})
    with pytest.raises(UserError, match="greedy by docker cannot reach base by external"):
        check_needs({"greedy": "docker", "base": "external"})


# When racehound is killed


@pytest.fixture
def owner(stand_in: StandIn) -> Iterator[subprocess.Popen[str]]:
    """A racehound of a few lines that starts PostgreSQL by docker, and says its directory, its project and its guard's pid."""
    stand_in.answer("ps", "--all", says="c1\nc2\n")
    stand_in.answer("network", "ls", says="n1\n")
    with subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True) as owner:
        yield owner
        owner.kill()


def _line(owner: subprocess.Popen[str]) -> list[str]:
    assert owner.stdout is not None
    return owner.stdout.readline().split()


def _ends(pid: int, within: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


def _await(done: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.leftovers
def test_a_killed_racehound_takes_its_containers_along(stand_in: StandIn, owner: subprocess.Popen[str]) -> None:
    directory, project = _line(owner)
    _line(owner)
    owner.kill()
    stand_in.await_told("rm", "--force", "--volumes", "c1", "c2", within=2)
    stand_in.await_told("network", "rm", "n1", within=2)
    mark = f"label=com.docker.compose.project={project}"
    assert ["ps", "--all", "--quiet", "--no-trunc", "--filter", mark] in stand_in.told()
    _await(lambda: not Path(directory).exists(), 10)


@pytest.mark.leftovers
def test_killed_in_the_midst_of_a_start_it_starts_nothing_any_more(stand_in: StandIn, owner: subprocess.Popen[str]) -> None:
    stand_in.answer("up", seconds=1000)
    directory, _ = _line(owner)
    starting = stand_in.await_told("up", within=10)
    owner.kill()
    assert _ends(starting, 1)
    # It looks twice: an engine may still have been at work for the one that is dead.
    _await(lambda: [each[0] for each in stand_in.told()].count("rm") == 2, 10)
    _await(lambda: not Path(directory).exists(), 10)


@pytest.mark.leftovers
def test_a_killed_guard_takes_the_containers_along(stand_in: StandIn, owner: subprocess.Popen[str]) -> None:
    directory, _ = _line(owner)
    (guard,) = map(int, _line(owner))
    os.kill(guard, signal.SIGKILL)
    stand_in.await_told("rm", "--force", "--volumes", "c1", "c2", within=2)
    assert owner.poll() is None
    owner.kill()
    owner.wait()
    # Nobody else is left who would.
    scratch.remove(Path(directory))


def test_a_guard_that_was_killed_is_replaced_before_the_next_start(project: DockerProject) -> None:
    one, two = (DockerInstance(_service(name), project) for name in ("one", "two"))
    one.prepare()
    two.prepare()
    one.start()
    first = project._guard
    assert first is not None
    first.kill()
    two.start()
    assert project._guard is not None
    assert project._guard is not first
    assert project._guard.poll() is None


def test_what_a_dead_run_has_left_is_found_and_removed(stand_in: StandIn) -> None:
    own, dead = _label(myself()), _label(_dead())
    stand_in.answer("ps", "--format", says=f"racehound-a-1\ta\t{dead}\nracehound-a-1\ta\t{dead}\nracehound-b-2\tb\t{own}\n")
    stand_in.answer("network", "ls", "--format", says=f"racehound-c-3\tc\t{dead}\n")
    stand_in.answer("ps", "--quiet", says="c1\n")
    found = docker_leftovers.leftovers()
    assert [(each.project, each.composition) for each in found] == [("racehound-a-1", "a"), ("racehound-c-3", "c")]
    docker_leftovers.remove(found[0])
    assert ["rm", "--force", "--volumes", "c1"] in stand_in.told()
    stand_in.answer("rm", complains="permission denied\n", code=1)
    with pytest.raises(RacehoundError, match="racehound-a-1 could not be removed: permission denied"):
        docker_leftovers.remove(found[0])


def test_what_a_live_run_has_is_left_alone(stand_in: StandIn) -> None:
    with pytest.raises(RacehoundError, match=f"belongs to process {os.getpid()}, which is alive"):
        docker_leftovers.remove(docker_leftovers.Leftover("racehound-b-2", "b", myself()))
    assert stand_in.told() == []


def _dead() -> Owner:
    """A process that has had this one's process id before."""
    me = myself()
    return msgspec.structs.replace(me, started=me.started - 1)


def _label(owner: Owner) -> str:
    return msgspec.json.encode(owner).decode()


# The real client


def test_the_real_client_understands_every_command(
    stand_in: StandIn, project: DockerProject, postgres: DockerInstance, chain: None
) -> None:
    if _REAL is None:
        pytest.skip("the docker command is not installed")
    postgres.prepare()
    written = project.file.read_text()
    postgres.start()
    postgres.pause()
    postgres.resume()
    postgres.memory_mib()
    postgres.log(10)
    postgres.kill()
    postgres._project.restart("postgres")
    postgres.stop()
    stand_in.answer("image", "inspect", code=1)
    pull(["base"], lambda _line: None)
    stand_in.answer("ps", "--quiet", says="c1\n")
    stand_in.answer("network", "ls", "--quiet", says="n1\n")
    docker_leftovers.leftovers()
    docker_leftovers.remove(docker_leftovers.Leftover("racehound-b-2", "b", _dead()))
    project.file.write_text(written)
    commands = {tuple(each) for each in stand_in.told()}
    if subprocess.run([_REAL, "compose", "version"], capture_output=True, check=False).returncode != 0:
        commands = {each for each in commands if each[0] != "compose"}
    complaints = {each: _complaint(_REAL, each) for each in commands}
    project.file.unlink()
    assert {each: said for each, said in complaints.items() if said} == {}
    words = {"version", "context", "image", "container", "stats", "logs", "pull", "ps", "network", "rm"}
    assert {each[0] for each in commands} - {"compose"} == words


def _complaint(docker: str, command: tuple[str, ...]) -> str:
    """What the real client has against a command, besides that there is no engine."""
    nowhere = {**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = subprocess.run([docker, *command], capture_output=True, text=True, check=False, env=nowhere)
    lacks_an_engine = "/nonexistent/docker.sock" in done.stderr and "unknown" not in done.stderr
    return "" if done.returncode == 0 or lacks_an_engine else done.stderr
