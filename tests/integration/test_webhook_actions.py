"""Webhooks, plain HTTP requests and the target's own checks, against a small HTTP server."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable

import pytest

from racehound.data.addresses import ServiceAddresses
from racehound.databases.materialize.script_support import SCRIPT_SUPPORT
from racehound.testdrive.errors import CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, run_file
from racehound.wire.session import LibpqSession
from tests.integration.web import Answer, Request, serve

SHARD = "s0f6d0e1c-1111-2222-3333-444455556666"


@pytest.fixture
def context(connect: Callable[[], LibpqSession]) -> Context:
    return Context(connect(), timeout=0.3)


def at(context: Context, url: str) -> Context:
    """The context of a target whose HTTP ports are there."""
    return dataclasses.replace(context, services=ServiceAddresses(http=url, internal_http=url))


def run(text: str, context: Context) -> None:
    run_file(text, "some.td", context)


def failure(text: str, context: Context) -> CommandFailed:
    with pytest.raises(CommandFailed) as raised:
        run(text, context)
    return raised.value


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda _: answer


# Webhooks


def test_the_input_is_posted_with_no_headers_but_the_authors(context: Context) -> None:
    script = '$ webhook-append name=hook X-Signature=a=b/+ app_name= content-type=text/x\n{\n  "ä": "b"\n}\n'
    with serve(always(Answer())) as web:
        run(script, at(context, web.url))
    (request,) = web.seen
    assert (request.method, request.path, request.body) == ("POST", "/api/webhook/materialize/public/hook", '{\n  "ä": "b"\n}')
    host = web.url.removeprefix("http://")
    own = {"x-signature": "a=b/+", "app_name": "", "content-type": "text/x"}
    assert request.headers == {"host": host, "accept": "*/*", "content-length": "15", **own}


def test_without_input_the_body_is_empty(context: Context) -> None:
    with serve(always(Answer())) as web:
        run("$ webhook-append name=hook\n", at(context, web.url))
    assert (web.seen[0].body, web.seen[0].headers["content-length"]) == ("", "0")


def test_names_are_encoded_but_a_path_written_as_one_stays(context: Context) -> None:
    with serve(always(Answer())) as web:
        run('$ webhook-append database=d schema="a b" name=ä?#\nx\n', at(context, web.url))
        run("$ webhook-append name=with_/\nx\n$ webhook-append name=with_%2F\nx\n", at(context, web.url))
    assert [request.path for request in web.seen] == [
        "/api/webhook/d/a%20b/%C3%A4%3F%23",
        "/api/webhook/materialize/public/with_/",
        "/api/webhook/materialize/public/with_%2F",
    ]


def test_the_status_may_be_another_one(context: Context) -> None:
    with serve(always(Answer(400, "invalid body"))) as web:
        run("$ webhook-append name=hook status=400\nx\n", at(context, web.url))
        assert "status 400, not 200: invalid body" in failure("$ webhook-append name=hook\nx\n", at(context, web.url)).reason
    assert len(web.seen) == 2, "a refusal that may have had an effect is not tried again"


def test_a_source_that_is_not_there_yet_is_waited_for(context: Context) -> None:
    answers = [Answer(404), Answer(503), Answer(200)]
    with serve(lambda _: answers.pop(0)) as web:
        run("$ webhook-append name=hook\nx\n", dataclasses.replace(at(context, web.url), timeout=60.0))
    assert [request.body for request in web.seen] == ["x"] * 3


def test_a_source_that_never_comes_fails_when_the_time_is_over(context: Context) -> None:
    with serve(always(Answer(404, "no object was found"))) as web:
        failed = failure("$ webhook-append name=hook\nx\n", dataclasses.replace(at(context, web.url), timeout=2.0))
    assert "status 404, not 200: no object was found" in failed.reason
    assert len(web.seen) > 1


def test_a_port_without_a_server_fails(context: Context) -> None:
    assert "127.0.0.1:1" in failure("$ webhook-append name=hook\nx\n", at(context, "http://127.0.0.1:1")).reason


def test_a_server_that_does_not_answer_fails_in_time(context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "timed out" in failure("$ webhook-append name=hook\nx\n", at(context, url)).reason
        assert "timed out" in failure(f"$ http-request method=GET url={url}\n", context).reason


def test_bad_arguments_are_told(context: Context) -> None:
    assert "--materialize-http-url" in failure("$ webhook-append name=hook\nx\n", context).reason
    with pytest.raises(ScriptError, match="missing parameter name"):
        run("$ webhook-append database=d\nx\n", context)
    with pytest.raises(ScriptError, match="'ok' is not a whole number"):
        run("$ webhook-append name=hook status=ok\nx\n", at(context, "http://127.0.0.1:1"))


# Plain requests


def test_a_request_goes_to_where_the_host_really_is_and_follows_redirects(context: Context) -> None:
    def answer(request: Request) -> Answer:
        return Answer(307, location="/there") if request.path == "/here?x=1" else Answer(201)

    with serve(answer) as web:
        services = ServiceAddresses(hosts={"toxiproxy": web.url.removeprefix("http://")})
        script = '$ http-request method=POST url=http://toxiproxy:8474/here?x=1 content-type=application/json\n{\n  "a": 1\n}\n'
        run(script, dataclasses.replace(context, services=services))
    assert [(request.path, request.body) for request in web.seen] == [
        (path, '{\n  "a": 1\n}') for path in ("/here?x=1", "/there")
    ]


def test_bad_arguments_of_a_request_are_told(context: Context) -> None:
    with pytest.raises(ScriptError, match="missing parameter method"):
        run("$ http-request url=http://x\n", context)
    with pytest.raises(ScriptError, match="'4xx' is not a whole number"):
        run("$ http-request method=GET url=http://x accept-additional-status-codes=4xx\n", context)
    assert "url=" not in failure("$ http-request method=GET url=nonsense\n", context).reason


# The target's own checks


def target(**answers: Answer) -> Callable[[Request], Answer]:
    """A Materialize whose internal port answers `""`, and dumps, but for what is given by the last words of the path."""
    healthy = {"coordinator_dump": Answer(body="{}"), "coordinator_check": Answer(body='""'), "catalog_dump": Answer(body="{}")}
    known = {**healthy, **answers}
    return lambda request: known[request.path.removeprefix("/api/").replace("/", "_")]


def test_a_target_without_inconsistencies_passes(context: Context) -> None:
    with serve(target()) as web:
        run("$ check-consistency\n", at(context, web.url))
    paths = {request.path for request in web.seen}
    assert paths == {"/api/coordinator/dump", "/api/coordinator/check", "/api/catalog/dump"}


def test_a_release_without_a_dump_of_the_coordinator_passes(context: Context) -> None:
    with serve(target(coordinator_dump=Answer(404))) as web:
        run("$ check-consistency\n", at(context, web.url))


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"coordinator_check": Answer(body='{"read_holds": ["u7"]}')}, "coordinator: {'read_holds': ['u7']}"),
        ({"coordinator_check": Answer(404)}, "coordinator: status 404"),
        ({"coordinator_check": Answer(body="")}, "coordinator: status 200"),
        ({"coordinator_dump": Answer(500, "boom")}, "coordinator: no dump: status 500: boom"),
        ({"catalog_dump": Answer(body="[")}, "catalog: no dump: status 200: ["),
    ],
)
def test_what_is_inconsistent_is_told(answers: dict[str, Answer], reason: str, context: Context) -> None:
    with serve(target(**answers)) as web:
        assert reason in failure("$ check-consistency\n", at(context, web.url)).reason


def test_all_that_is_inconsistent_is_told_at_once(context: Context) -> None:
    with serve(target(coordinator_check=Answer(body='"x"'), catalog_dump=Answer(500))) as web:
        reason = failure("$ check-consistency\n", at(context, web.url)).reason
    assert "coordinator: x; catalog: no dump" in reason


def test_the_checks_are_made_after_every_statement_of_a_materialize(context: Context) -> None:
    checked = dataclasses.replace(context, support=SCRIPT_SUPPORT, checks_statements=True)
    with serve(target(coordinator_check=Answer(body='"x"'))) as web:
        assert failure("> SELECT 1\n1\n", at(checked, web.url)).reason == "the target is inconsistent: coordinator: x"
        run("$ skip-consistency-checks reason=known bug\n> SELECT 1\n1\n", at(checked, web.url))
    run("> SELECT 1\n1\n", checked)


def test_a_script_may_forgo_the_checks(context: Context) -> None:
    run("$ skip-consistency-checks reason=known\n$ check-consistency\n", at(context, "http://127.0.0.1:1"))


def test_an_internal_port_without_a_server_fails(context: Context) -> None:
    assert "cannot ask the target" in failure("$ check-consistency\n", at(context, "http://127.0.0.1:1")).reason


def test_a_tombstone_is_said_not_to_be_checked(context: Context) -> None:
    printed: list[str] = []
    run(f"$ check-shard-tombstone shard-id={SHARD}\n", dataclasses.replace(context, output=printed.append))
    assert f"{SHARD} is not checked" in printed[0]
    with pytest.raises(ScriptError, match="not the id of a shard"):
        run("$ check-shard-tombstone shard-id=u7\n", context)
