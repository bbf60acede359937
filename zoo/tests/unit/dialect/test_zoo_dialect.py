"""The parser: what statements mean, and how syntax errors are reported."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racehound_zoo.dialect import statements as s
from racehound_zoo.dialect.parser import parse
from racehound_zoo.dialect.session_statements import seconds
from racehound_zoo.errors import SqlError


def one(text: str) -> s.Statement:
    [(statement, _)] = parse(text)
    return statement


def names(text: str) -> list[str]:
    """The relations that a query reads."""
    statement = one(text)
    assert isinstance(statement, s.Select)
    for reference in statement.query.references:
        assert statement.query.text[reference.start : reference.end].replace('"', "") == reference.name
    return [reference.name for reference in statement.query.references]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", []),
        ("SELECT * FROM t", ["t"]),
        ("SELECT * FROM t, s.u AS x, d.s.v", ["t", "s.u", "d.s.v"]),
        ('SELECT * FROM "T" JOIN u USING (a) LEFT JOIN v ON u.a = v.a, w', ["T", "u", "v", "w"]),
        ("SELECT (SELECT max(a) FROM t) FROM (SELECT * FROM u) AS x WHERE EXISTS (SELECT FROM v)", ["t", "u", "v"]),
        ("SELECT * FROM (a CROSS JOIN b), c", ["a", "b", "c"]),
        ("WITH x AS (SELECT * FROM t), y (k) AS (SELECT 1) SELECT * FROM x, y, z", ["t", "z"]),
        ("SELECT extract(epoch FROM now()), a IS DISTINCT FROM b FROM t", ["t"]),
        ("SELECT * FROM generate_series(1, 2) AS g, LATERAL (SELECT * FROM t) AS l", ["t"]),
        ("SELECT 'FROM x' AS a, \"from y\" FROM t -- FROM z", ["t"]),
        ("SELECT * FROM t UNION ALL SELECT * FROM u ORDER BY 1, 2", ["t", "u"]),
        ("TABLE t", ["t"]),
        ("(SELECT * FROM t EXCEPT ALL SELECT * FROM u) UNION ALL (SELECT * FROM v)", ["t", "u", "v"]),
        ("VALUES (1), (2)", []),
        ("SELECT * FROM t GROUP BY a, b HAVING a > (SELECT min(c) FROM u), 1", ["t", "u"]),
    ],
)
def test_the_relations_of_a_query_are_found(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_an_alias_is_recognised_and_a_clause_is_none() -> None:
    statement = one("SELECT * FROM a x, b AS y, c WHERE true")
    assert isinstance(statement, s.Select)
    assert [reference.aliased for reference in statement.query.references] == [True, True, False]


def test_who_asks_is_found_outside_of_strings_and_names() -> None:
    statement = one("SELECT current_user, 'current_user', t.session_user FROM t")
    assert isinstance(statement, s.Select)
    assert [statement.query.text[start:end] for start, end in statement.query.users] == ["current_user"]


def test_as_of_is_no_alias() -> None:
    statement = one("SELECT * FROM t AS OF AT LEAST 5")
    assert isinstance(statement, s.Select)
    assert (statement.query.text, statement.as_of, statement.at_least) == ("SELECT * FROM t", "5", True)


def test_options_are_told_from_their_values() -> None:
    statement = one("CREATE CLUSTER c (SIZE = '1', REPLICATION FACTOR 2, MANAGED)")
    assert isinstance(statement, s.CreateCluster)
    assert [(name, value.text) for name, value in statement.options] == [
        ("SIZE", "1"), ("REPLICATION FACTOR", "2"), ("MANAGED", "true"),
    ]  # fmt: skip


def test_a_source_is_taken_apart() -> None:
    statement = one(
        'CREATE TABLE t FROM SOURCE s (REFERENCE "topic-1") FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION c '
        "INCLUDE PARTITION AS p ENVELOPE DEBEZIUM"
    )
    assert isinstance(statement, s.CreateTableFromSource)
    assert statement.reference == ("topic-1",)
    assert statement.format is not None
    assert (statement.format.name, statement.format.registry) == ("AVRO", ("c",))
    assert (statement.include, statement.envelope) == ("PARTITION AS p", "DEBEZIUM")


def test_statements_are_cut_at_semicolons_and_know_their_text() -> None:
    assert [text for _, text in parse("BEGIN; SELECT ';' ;; COMMIT")] == ["BEGIN", "SELECT ';'", "COMMIT"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELEC 1", 'Expected a keyword at the beginning of a statement, found identifier "selec"'),
        ("DROP", "Expected object type after DROP, found EOF"),
        ("ALTER TYPE t RENAME TO u", "Expected OWNER, found RENAME"),
        ("CREATE VIEW v AS", "Expected query, found EOF"),
        ("SELECT 'a", "unterminated quoted string"),
        ('SELECT "a', "unterminated quoted identifier"),
        ("SELECT /* a", "unterminated multiline comment"),
        ("DROP TABLE t CASCADE CASCADE", "Expected end of statement, found CASCADE"),
    ],
)
def test_what_is_no_statement_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse(text)
    assert (caught.value.sqlstate, caught.value.message) == ("42601", message)


_VOCABULARY = (
    "CREATE DROP ALTER TABLE VIEW SOURCE SINK FROM INTO IN CLUSTER AS SELECT * t x ( ) , . = ; 'a' \"b\" 1 $1 WITH IF EXISTS NOT "
    "KAFKA CONNECTION FORMAT AVRO ENVELOPE SHOW GRANT ON TO SET RENAME SWAP SUBSCRIBE FETCH ALL c DECLARE CURSOR FOR COPY"
)
_WORDS = st.sampled_from(_VOCABULARY.split())


@given(st.lists(_WORDS, max_size=14).map(" ".join) | st.text(max_size=40))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with contextlib.suppress(SqlError):
        for statement, written in parse(text):
            assert isinstance(statement, s.Statement)
            assert written in text


@pytest.mark.parametrize(
    ("text", "expected"), [("1ms", 0.001), ("10s", 10), ("2 minutes", 120), ("00:00:05", 5), ("1m30s", 90), ("3", 3)]
)
def test_intervals_are_read_as_seconds(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)
