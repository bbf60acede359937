"""Running scripts against a session in memory: what is sent, what is tried again, what fails and how it is told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from racehound.session import Outcome, Rows, ServerError, Session
from racehound.testdrive.check import check
from racehound.testdrive.errors import ActionError, CommandFailed, ScriptError
from racehound.testdrive.interpreter import Context, Interpreter, run_file
from racehound.testdrive.parser import parse
from racehound.testdrive.script import Position
from racehound.testdrive.state import State, UnexpectedResult
from racehound.testdrive.support import ScriptSupport

OK = Outcome("ok", "DONE")


def rows(*cells: str | None, oid: int = 25) -> Outcome:
    """One column `c` of these cells."""
    return Outcome("ok", f"SELECT {len(cells)}", len(cells), None, Rows(("c",), (oid,), [(cell,) for cell in cells]))


def error(message: str, sqlstate: str = "XX000", detail: str = "", hint: str = "") -> Outcome:
    return Outcome("error", error=ServerError(sqlstate, message, detail, hint))


class MemorySession:
    """Answers from a list, the last answer again and again."""

    pid = 0

    def __init__(self, *answers: Outcome) -> None:
        self.answers = list(answers)
        self.seen: list[str] = []

    def execute(self, sql: str) -> Outcome:
        self.seen.append(sql)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def cancel(self) -> None:
        """Nothing ever runs for long."""

    def reset(self) -> Outcome:
        return OK

    def close(self) -> None:
        """There is nothing to close."""


class HangingSession(MemorySession):
    """Answers only when it is cancelled."""

    def __init__(self) -> None:
        super().__init__(error("canceling statement due to user request", "57014"))
        self.cancelled = threading.Event()

    def execute(self, sql: str) -> Outcome:
        assert self.cancelled.wait(60)
        return super().execute(sql)

    def cancel(self) -> None:
        self.cancelled.set()


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def context(session: MemorySession, **fields: object) -> Context:
    clock = Clock()
    settings: dict[str, object] = {"clock": clock, "sleep": clock.sleep, "environment": {"HOME": "/home/me"}, **fields}
    return Context(session, **settings)  # type: ignore[arg-type]


def run(text: str, *answers: Outcome, **fields: object) -> MemorySession:
    session = MemorySession(*answers or (OK,))
    run_file(text, "some.td", context(session, **fields))
    return session


def failure(text: str, *answers: Outcome, **fields: object) -> CommandFailed:
    with pytest.raises(CommandFailed) as raised:
        run(text, *answers, **fields)
    return raised.value


def misuse(text: str, **fields: object) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        run(text, **fields)
    return raised.value


# Rows


def test_rows_are_compared_in_any_order() -> None:
    run("> SELECT 1\n2\n1\n", rows("1", "2"))


def test_no_rows_are_expected_where_none_are_written() -> None:
    run("> CREATE TABLE t ()\n> DELETE FROM t\n> SELECT 1\n", OK, OK, rows())
    assert failure("> SELECT 1\n", rows("1"), max_tries=1).actual == (("1",),)


def test_values_that_differ_fail_with_a_diff() -> None:
    failed = failure("$ nop\n> SELECT x\n1\n3\n", rows("1", "2"), max_tries=1)
    assert (failed.expected, failed.actual) == ((("1",), ("3",)), (("1",), ("2",)))
    assert failed.position == Position(2, 1)
    assert failed.sql == "SELECT x"
    assert failed.outcome == rows("1", "2")
    assert str(failed).split("\n") == [
        "some.td:2:1: rows differ",
        "  |",
        "2 | > SELECT x",
        "  | ^",
        "--- expected",
        "+++ actual",
        "@@ -1,2 +1,2 @@",
        " 1",
        "-3",
        "+2",
    ]


def test_column_names_are_compared_in_order() -> None:
    run("> SELECT 1\nc\n---\n1\n", rows("1"))
    run("> SELECT 1\nc\n---\n", rows())
    assert failure("> SELECT 1\nd\n---\n1\n", rows("1"), max_tries=1).reason == "column names differ"


def test_hashed_rows_are_counted_and_hashed() -> None:
    md5 = "c20ad4d76fe97759aa27a0c99bff6710"  # of "12"
    run(f"> SELECT 1\n2 values hashing to {md5}\n", rows("2", "1"))
    assert "expected 2 rows, got 1" in failure(f"> SELECT 1\n2 values hashing to {md5}\n", rows("1"), max_tries=1).reason
    assert "hash to" in failure(f"> SELECT 1\n2 values hashing to {md5}\n", rows("1", "3"), max_tries=1).reason


def test_a_block_is_one_cell_or_all_the_lines_of_a_plan() -> None:
    script = "? EXPLAIN SELECT 1\nA\n\n  B\n"
    run(script, rows("A\n\n  B\n"))
    run(script, rows("A", "", "  B"))
    assert "-  B" in failure(script, rows("A"), max_tries=1).difference


def test_white_space_at_the_end_of_a_block_is_nothing() -> None:
    run("? EXPLAIN SELECT 1\nA\n  \n", rows("A\n \n\n"))
    run("? EXPLAIN SELECT 1\n\n", rows())


def test_a_failing_statement_fails_with_what_the_server_said() -> None:
    failed = failure("> SELECT 1\n", error("no such thing", "42704", detail="really"), max_tries=1)
    assert "no such thing (42704); detail: really" in str(failed)


# Errors expected


@pytest.mark.parametrize("line", ["contains:such", "exact:no such thing", "regex:^no .*g$", "contains:no\ndetail:x\nhint:y"])
def test_an_expected_error(line: str) -> None:
    run(f"! SELECT 1\n{line}\n", error("no such thing", detail="axb", hint="ayb"))


@pytest.mark.parametrize(
    "line", ["contains:other", "exact:no such", "regex:^such", "contains:no\ndetail:q", "contains:no\nhint:q"]
)
def test_an_error_unlike_the_expected_one_fails(line: str) -> None:
    assert "no such thing" in failure(f"! SELECT 1\n{line}\n", error("no such thing", detail="x", hint="y"), max_tries=1).reason


def test_success_fails_where_an_error_is_expected() -> None:
    assert "succeeded" in failure("! SELECT 1\ncontains:x\n", max_tries=1).reason


# Trying again


def test_a_query_is_tried_again_until_its_rows_are_right() -> None:
    clock = Clock()
    session = run("> SELECT 1\n1\n", rows(), error("not yet"), rows("1"), clock=clock, sleep=clock.sleep)
    assert len(session.seen) == 3
    assert clock.sleeps == pytest.approx([0.05, 0.075])


def test_a_query_is_given_up_when_the_timeout_is_over() -> None:
    clock = Clock()
    assert failure("> SELECT 1\n1\n", rows(), clock=clock, sleep=clock.sleep, timeout=3.0).reason == "rows differ"
    assert clock.now == pytest.approx(3.0)


@pytest.mark.parametrize("statement", ["CREATE TABLE t ()", "DROP TABLE t", "SET a = b", "FETCH 1 c", "ALTER VIEW v RENAME TO w"])
def test_a_statement_that_cannot_be_repeated_is_run_once(statement: str) -> None:
    session = MemorySession(error("no"), OK)
    with pytest.raises(CommandFailed):
        run_file(f"> {statement}\n", "x", context(session))
    assert len(session.seen) == 1


def test_an_error_is_awaited() -> None:
    assert len(run("! SELECT 1\ncontains:b\n", OK, error("a"), error("b")).seen) == 3


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "FETCH 1 c", "ALTER SINK s SET FROM t", "CREATE CONNECTION c"])
def test_an_error_of_what_cannot_be_repeated_is_not_awaited(statement: str) -> None:
    session = MemorySession(OK, error("b"))
    with pytest.raises(CommandFailed):
        run_file(f"! {statement}\ncontains:b\n", "x", context(session))
    assert len(session.seen) == 1


def test_text_that_does_not_parse_is_not_tried_again() -> None:
    session = MemorySession(error("syntax error", "42601"), error("b"))
    with pytest.raises(CommandFailed):
        run_file("! SELEC\ncontains:b\n", "x", context(session))
    assert len(session.seen) == 1


def test_an_error_that_no_further_try_helps_is_not_tried_again() -> None:
    clock = Clock()
    gone = error("unknown catalog item 'o_0'")
    told = failure(
        "> SELECT 1\n1\n",
        error("not ready"),
        gone,
        rows("1"),
        clock=clock,
        sleep=clock.sleep,
        is_final=lambda what: what == gone.error,
    )
    assert "unknown catalog item" in str(told)
    assert len(clock.sleeps) == 1


def test_a_lost_connection_is_not_tried_again() -> None:
    lost = Outcome("lost", error=ServerError("08006", "server closed the connection"))
    failed = failure("> SELECT 1\n1\n", lost, rows("1"))
    assert "connection was lost: server closed" in failed.reason
    assert failed.outcome == lost


def test_with_one_try_nothing_is_tried_again_nor_slept() -> None:
    session = MemorySession(rows(), rows("1"))
    clock = Clock()
    with pytest.raises(CommandFailed):
        run_file("> SELECT 1\n1\n", "x", context(session, max_tries=1, clock=clock, sleep=clock.sleep))
    assert (len(session.seen), clock.sleeps) == (1, [])


def test_max_tries_of_the_script_take_effect_from_where_they_stand() -> None:
    session = MemorySession(rows(), rows("1"), rows(), rows(), rows("2"))
    with pytest.raises(CommandFailed) as raised:
        run_file("> SELECT 1\n1\n$ set-max-tries max-tries=2\n> SELECT 2\n2\n", "x", context(session))
    assert raised.value.position == Position(4, 1)
    assert len(session.seen) == 4


def test_a_statement_that_does_not_answer_is_cancelled() -> None:
    script = "$ set-sql-timeout duration=20ms force=true\n"
    run_file(f"{script}! SELECT 1\ntimeout\n", "x", context(HangingSession()))
    with pytest.raises(CommandFailed, match="no answer within the timeout: canceling"):
        run_file(f"{script}> CREATE TABLE t ()\n", "x", context(HangingSession()))


def test_an_answer_in_time_fails_where_a_timeout_is_expected() -> None:
    assert "expected no answer" in failure("! SELECT 1\ntimeout\n").reason


# Timeouts of the script


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ("duration=1s", 10),
        ("duration=1s force=true", 1),
        ("duration=20s", 20),
        ("duration=20s force=false", 20),
        ("duration=default", 10),
    ],
)
def test_a_timeout_below_the_default_is_ignored_unless_forced(arguments: str, seconds: float) -> None:
    with Interpreter(context(MemorySession(OK))) as interpreter:
        interpreter.run(parse(f"$ set-sql-timeout duration=1h\n$ set-sql-timeout {arguments}\n"))
        assert interpreter.state.policy.timeout == pytest.approx(seconds)


# Variables


def test_variables_take_effect_from_where_they_stand() -> None:
    text = "$ set a=1\n> SELECT ${a}\n\\${a}\n$ set a=${a}2\n> SELECT '${a}'\n12\n! SELECT ${a}\ncontains:_${a}_\n"
    assert run(text, rows("1"), rows("12"), error("_12_")).seen == ["SELECT 1", "SELECT '12'", "SELECT 12"]


def test_a_name_without_a_value_is_set_to_the_text_below() -> None:
    assert run("$ set a=1 b c\nx\ny\n> SELECT '${a} ${b} ${c}'\n").seen == ["SELECT '1 x\ny x\ny'"]


def test_text_below_set_is_the_value() -> None:
    assert run("$ set q\nSELECT\n\\\n1\n> ${q}\n").seen == ["SELECT\n\n1"]


def test_predefined_variables() -> None:
    session = run("> SELECT '${testdrive.seed} ${env.HOME} ${arg.x} ${v}'\n", seed=7, variables={"arg.x": "y", "v": "w"})
    assert session.seen == ["SELECT '7 /home/me y w'"]


def test_the_default_of_an_argument_gives_way_to_the_command_line() -> None:
    text = "$ set-arg-default a=1 b=2\n> SELECT ${arg.a}${arg.b}\n"
    assert run(text, variables={"arg.a": "9"}).seen == ["SELECT 92"]


def test_an_unknown_variable_is_an_error_of_the_script_when_it_is_met() -> None:
    session = MemorySession(OK)
    with pytest.raises(ScriptError) as raised:
        run_file("> SELECT 1\n> SELECT ${nope}\n", "some.td", context(session))
    assert str(raised.value).startswith("some.td:2:1: unknown variable nope\n")
    assert session.seen == ["SELECT 1"]


@pytest.mark.parametrize(("name", "way"), [("arg.x", "--var"), ("testdrive.kafka-addr", "services up")])
def test_a_variable_of_the_command_line_says_where_it_would_come_from(name: str, way: str) -> None:
    assert way in misuse(f"> SELECT ${{{name}}}\n").message


def test_variables_in_an_expected_regex_are_taken_literally() -> None:
    assert "expected regex" in failure("$ set v=a.b\n! SELECT 1\nregex:^${v}$\n", error("axb"), max_tries=1).reason
    run("$ set v=a.b\n! SELECT 1\nregex:^${v}$\n", error("a.b"))


def test_a_variable_cannot_smuggle_in_a_second_statement() -> None:
    session = MemorySession(OK)
    with pytest.raises(ScriptError, match="one statement"):
        run_file("$ set v\n1; DROP TABLE t\n> SELECT ${v}\n", "x", context(session))
    assert session.seen == []


def test_a_variable_from_a_query() -> None:
    text = "$ set-from-sql var=v\nSELECT a\n  FROM t\n> SELECT '${v}'\n"
    assert run(text, rows("t", oid=16), OK).seen == ["SELECT a\n  FROM t", "SELECT 'true'"]
    assert "one row of one column" in failure("$ set-from-sql var=v\nSELECT 1\n", rows("1", "2")).reason


def test_variables_last_from_fragment_to_fragment_of_one_interpreter() -> None:
    session = MemorySession(OK)
    with Interpreter(context(session)) as interpreter:
        interpreter.run(parse("$ set a=1\n"))
        interpreter.run(parse("> SELECT ${a}\n"))
    assert session.seen == ["SELECT 1"]


# Regular expressions over results


def test_set_regex_is_applied_to_cells_and_messages_until_unset() -> None:
    text = "$ set-regex match=u\\d+ replacement=<ID>\n> SELECT 1\n<ID>x\n! SELECT 2\nexact:no <ID>\n"
    run(text, rows("u12x"), error("no u7"))
    run("$ set-regex match=\\d+\n> SELECT 1\nu<regex_match>\n", rows("u12"))
    assert failure(
        text + "$ unset-regex\n> SELECT 1\n<ID>x\n", rows("u12x"), error("no u7"), rows("u12x"), max_tries=1
    ).actual == (("u12x",),)


# Skipping


def test_skip_if_skips_to_skip_end() -> None:
    text = "$ skip-if\nSELECT true\n> SELECT 1\n$ postgres-connect name=a url=b\n$ skip-end\n> SELECT 2\n"
    assert run(text, rows("t", oid=16), OK).seen == ["SELECT true", "SELECT 2"]
    assert run(text.replace("$ postgres-connect name=a url=b\n", ""), rows("f", oid=16), OK).seen == [
        "SELECT true",
        "SELECT 1",
        "SELECT 2",
    ]


def test_skip_if_without_skip_end_skips_to_the_end_of_the_script_only() -> None:
    session = MemorySession(rows("t", oid=16), OK)
    with Interpreter(context(session)) as interpreter:
        interpreter.run(parse("$ skip-if\nSELECT true\n> SELECT 1\n"))
        interpreter.run(parse("> SELECT 2\n"))
    assert session.seen == ["SELECT true", "SELECT 2"]


# Version bounds


def test_a_command_outside_its_bound_is_skipped_and_the_version_is_asked_once() -> None:
    text = (
        ">[version>=200] SELECT 1\n"
        ">[version<200] SELECT 2\n"
        "$[version<200] set-max-tries max-tries=x${nope}\n"
        ">[100<=version<300] SELECT 3\n"
    )
    asked: list[Session] = []

    def version(session: Session) -> int:
        asked.append(session)
        return 250

    session = run(text, support=ScriptSupport(version=version))
    assert session.seen == ["SELECT 1", "SELECT 3"]
    assert asked == [session]


def test_the_version_may_be_known_beforehand() -> None:
    assert run(">[version>=200] SELECT 1\n>[version<200] SELECT 2\n", version=100).seen == ["SELECT 2"]


def test_a_target_without_a_version_number_is_told_at_the_first_bound() -> None:
    failed = failure("> SELECT 1\n>[version>=1] SELECT 2\n")
    assert failed.position == Position(2, 1)
    assert "version" in failed.reason


# What can be seen to be wrong before anything runs


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("$ no-such-action\n", "unknown action no-such-action", (2, 1)),
        ("$ set-max-tries max-tries=1 b=2\n", "unknown parameter b", (2, 29)),
        ("$ set-max-tries\n", "missing parameter max-tries", (2, 1)),
        ("$ set-max-tries max-tries=x\n", "parameter max-tries: 'x' is not a whole number", (2, 17)),
        ("$ set-sql-timeout duration=soon\n", "parameter duration: 'soon' is not a duration", (2, 19)),
        ("$ postgres-execute connection=a background=1\n", "parameter background: '1' is neither", (2, 33)),
        ("$ set-regex match=a(b\n", "parameter match: invalid regular expression", (2, 13)),
        ("$ unset-regex\nhello\n", "unset-regex takes no input", (3, 1)),
        ("$ kafka-ingest topic=t format=avro nope=1\n", "unknown parameter nope", (2, 36)),
        ("$ kafka-create-topic\n", "missing parameter topic", (2, 1)),
    ],
)
def test_a_misused_action_stops_the_script_before_its_first_command(text: str, message: str, place: tuple[int, int]) -> None:
    session = MemorySession(OK)
    with pytest.raises(ScriptError) as raised:
        run_file(f"> SELECT 1\n{text}", "some.td", context(session))
    assert message in str(raised.value)
    assert (raised.value.line, raised.value.column) == place
    assert session.seen == []


@pytest.mark.parametrize(
    "text",
    [
        "$ nop this means=nothing\nnor does this\n",
        "$ skip-consistency-checks reason=known bug of old\n",
        "$ file-delete container=fivetran path=x\n",
        "$ set-sql-timeout duration=DEFAULT\n",
        "$ set-sql-timeout duration=1minute\n",
        "$ webhook-append name=a%2F x-signature=HA0r/xFp= content-type=text/x app=\n{ [\n",
        "$ sql-server-connect name=s\nserver=tcp:s,1433;User ID={${arg.user}};Password={${arg.password}}\n",
        "$ postgres-execute connection=postgres://u@${testdrive.materialize-internal-sql-addr}\n",
        "$ kafka-ingest topic=t\n  key-format=bytes key-terminator=:\n  format=bytes\n:a\n",
    ],
)
def test_what_other_peoples_files_say_is_admitted(text: str) -> None:
    check(parse(text))


def test_a_value_with_a_variable_is_left_to_the_run() -> None:
    check(parse("$ set-max-tries max-tries=${n}\n"))
    assert "is not a whole number" in misuse("$ set n=x\n$ set-max-tries max-tries=${n}\n").message


def test_headers_of_a_webhook_are_the_authors_own() -> None:
    check(parse("$ webhook-append name=w database=d status=404 app_name=x X-Y=z\nbody\n"))


# Services


def test_an_action_whose_service_is_not_configured_says_so() -> None:
    assert "webhook-append needs" in failure("$ webhook-append name=w\n").reason


@pytest.mark.parametrize("name", ["fivetran-destination", "persist-force-compaction"])
def test_an_action_that_is_not_supported_says_so(name: str) -> None:
    assert failure(f"$ {name} any-thing=1\n").reason == f"{name} is not supported"


def test_an_action_has_its_variables_substituted_but_for_its_own(tmp_path: Path) -> None:
    text = "$ set n=1\n$ file-append path=f${n}\n\\${n} ${file-append.iteration}\n"
    assert run(text, temp_dir=tmp_path).seen == []
    assert (tmp_path / "f1").read_text() == "1 ${file-append.iteration}\n"


def test_what_an_action_cannot_do_is_told_where_it_stands(tmp_path: Path) -> None:
    failed = failure("> SELECT 1\n$ file-delete path=f\n", temp_dir=tmp_path)
    assert str(failed).startswith("some.td:2:1: cannot delete f: No such file or directory\n")


# Pauses


def test_a_sleep_sleeps_and_a_random_one_is_the_same_for_the_same_seed() -> None:
    def sleeps(text: str, seed: int) -> list[float]:
        clock = Clock()
        run(text, clock=clock, sleep=clock.sleep, seed=seed)
        return clock.sleeps

    name = "sleep-is-probably-flaky-i-have-justified-my-need-with-a-comment"
    assert sleeps(f"$ {name} duration=1500ms\n", 0) == [1.5]
    drawn = sleeps("$ random-sleep duration=2s\n" * 5, 1)
    assert drawn == sleeps("$ random-sleep duration=2s\n" * 5, 1) != sleeps("$ random-sleep duration=2s\n" * 5, 2)
    assert all(0 <= seconds <= 2 for seconds in drawn)


# Consistency


def checked(*answers: str) -> ScriptSupport:
    """A database whose checks give these answers, one after the other; `""`: nothing is wrong."""
    left = list(answers)

    def check_consistency(state: State) -> None:
        if state.consistency_skipped is None and (wrong := left.pop(0)):
            raise ActionError(wrong)

    return ScriptSupport(check_consistency=check_consistency)


def test_the_checks_can_be_made_after_every_statement() -> None:
    text = "> SELECT 1\n! SELECT 2\ncontains:no\n> SELECT 3\n> SELECT 4\n"
    failed = failure(text, OK, error("no"), OK, OK, support=checked("", "leaked item u7"), checks_statements=True)
    assert failed.position == Position(4, 1)
    assert "leaked item u7" in failed.reason
    run("> SELECT 1\n", support=checked("leaked"))


def test_a_script_may_turn_the_checks_off() -> None:
    run("$ skip-consistency-checks reason=known bug\n> SELECT 1\n", support=checked("x"), checks_statements=True)
    with Interpreter(context(MemorySession(OK))) as interpreter:
        interpreter.run(parse('$ skip-consistency-checks reason="known bug"\n'))
        assert interpreter.state.consistency_skipped == "known bug"


# Secrets


def test_the_text_of_a_secret_is_in_no_message() -> None:
    refused = error("syntax error at or near 'hush'", "42601", detail="it says hush")
    failed = failure("> CREATE SECRET s\n  AS 'hush'\n", refused)
    assert "hush" not in str(failed)
    assert "hush" not in failed.sql
    assert failed.outcome is not None
    assert "hush" not in str(failed.outcome)
    assert "syntax error" in str(failed)


# Results that are taken for right


def test_a_result_that_differs_can_be_amended_but_not_an_error() -> None:
    seen: list[UnexpectedResult] = []

    def amend(result: UnexpectedResult) -> bool:
        seen.append(result)
        return result.command.text == "SELECT 1"

    run("> SELECT 1\n1\n> SELECT 3\n3\n", rows("2"), rows("3"), amend=amend, max_tries=1)
    assert [(result.command.text, result.outcome) for result in seen] == [("SELECT 1", rows("2"))]
    assert failure("> SELECT 4\n1\n", rows("2"), amend=amend, max_tries=1).reason == "rows differ"
    failure("> SELECT 1\n1\n", error("no"), amend=amend, max_tries=1)
    failure("! SELECT 1\ncontains:x\n", error("no"), amend=amend, max_tries=1)
    assert len(seen) == 2
