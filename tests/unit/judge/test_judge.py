"""One defect, one headline: which findings of a repetition are listed under another one."""

from __future__ import annotations

import msgspec
import pytest

from racehound.data.finding import Finding, consequence
from racehound.judge.crash import BACKGROUND
from racehound.judge.judge import distinct, without_consequences

ORPHAN = Finding(
    "catalog", "corruption", "row missing", "pg_auth_members.roleid: row missing (role rh1234abcd_o_2)",
    detail=("pg_authid 16400 (role rh1234abcd_o_2) refers to pg_authid 16390: row missing",),
)  # fmt: skip
DUMP = Finding("catalog", "corruption", "pg_dump: role", "pg_dump fails: role with OID 16390 does not exist")
OTHER_ORPHAN = Finding("catalog", "corruption", "row missing too", "pg_proc.pronamespace: row missing (function o_2_f)")
NAMED = Finding("names", "corruption", "role is not there", "role rh1234abcd_o_2 is not there")
ERROR = Finding("errors", "internal error", "cache lookup failed", "cache lookup failed for role 5, while nobody changed o_4")
LASTING = Finding("errors", "internal error", "cache lookup failed", "cache lookup failed for role 16390")
WEAKNESS = Finding("errors", "known weakness", "cache lookup failed", "cache lookup failed for role 16390")
BEHIND = Finding("crash", "known weakness", f"{BACKGROUND}oops", "a background process of the server: oops")
MEMBERSHIP = Finding("contents", "wrong result", "members", "o_9: other rows than must hold", detail=("+16390 16400",))
SAME = Finding("contents", "wrong result", "other rows", "o_2: other rows than must hold")
OTHER = Finding("contents", "wrong result", "other rows here", "o_3: other rows than must hold")
LEAK = Finding("leaks", "leak", "slot", "slot rh1234abcd_o_2 is still there")
OTHER_LEAK = Finding("leaks", "leak", "backend", "backend 12 is still there")


@pytest.mark.parametrize("finding", [LASTING, MEMBERSHIP])
def test_what_names_the_same_number_as_a_corruption_follows_from_it(finding: Finding) -> None:
    """A membership without its role, say, which the catalog oracle, a check of contents and an error all tell."""
    (told,) = without_consequences([ORPHAN, finding])
    assert told.id == ORPHAN.id
    assert told.consequences == (consequence(finding, certain=True),)


@pytest.mark.parametrize("finding", [DUMP, ERROR, SAME, LEAK, NAMED, BEHIND])
def test_what_comes_with_a_corruption_and_perhaps_from_it_is_listed_as_such(finding: Finding) -> None:
    (told,) = without_consequences([ORPHAN, finding])
    assert told.consequences == (consequence(finding, certain=False),)
    assert told.consequences[0].startswith("in the same repetition, ")


INSERTING = Finding("names", "corruption", "no item", "no item o_7", detail=("statement: INSERT INTO o_7 VALUES (16390)",))


@pytest.mark.parametrize("finding", [INSERTING, OTHER_ORPHAN, OTHER, OTHER_LEAK, WEAKNESS])
def test_another_defect_stays_a_finding_of_its_own(finding: Finding) -> None:
    assert without_consequences([ORPHAN, finding]) == [ORPHAN, finding]


def test_the_corruption_comes_first_whichever_oracle_was_asked_first() -> None:
    (told,) = without_consequences([LEAK, MEMBERSHIP, ORPHAN])
    assert told.id == ORPHAN.id
    assert len(told.consequences) == 2


def test_each_follows_from_the_corruption_that_it_is_about() -> None:
    first, second = without_consequences([OTHER_ORPHAN, ORPHAN, MEMBERSHIP])
    assert (first, second.consequences) == (OTHER_ORPHAN, (consequence(MEMBERSHIP, certain=True),))


def test_in_a_sound_catalog_each_finding_is_one_of_its_own() -> None:
    assert without_consequences([ERROR, SAME, OTHER]) == [ERROR, SAME, OTHER]


def test_the_lines_of_the_log_about_one_crash_are_one_finding() -> None:
    lines = [Finding("crash", "crash", text, text) for text in ("TRAP: failed Assert", "process was terminated by signal 6")]
    (told,) = without_consequences(lines)
    assert told.title == lines[0].title
    assert told.consequences == (consequence(lines[1], certain=False),)


def hang(why: str, sql: str, *waits: str) -> Finding:
    return Finding("hang", "hang", f"{why}: {sql}", sql, detail=(f"statement: {sql}", *waits))


def test_statements_that_wait_in_the_same_cycle_are_one_hang() -> None:
    first, second = (hang("deadlock", sql, "1 waits for 2", "2 waits for 1") for sql in ("DROP", "ALTER"))
    (told,) = without_consequences([first, second])
    assert told.consequences == (consequence(second, certain=False),)
    apart = [first, hang("deadlock", "ALTER", "3 waits for 4"), hang("running", "VACUUM", "1 waits for 2")]
    assert without_consequences(apart) == apart


def test_the_same_finding_twice_is_one_with_the_consequences_of_both() -> None:
    one, other = (msgspec.structs.replace(ORPHAN, consequences=(consequence(f, certain=True),)) for f in (DUMP, MEMBERSHIP))
    (told,) = distinct([one, other])
    assert told.consequences == (*one.consequences, *other.consequences)
