from __future__ import annotations

from racehound.data.finding import Finding
from racehound.judge.judge import without_consequences

ORPHAN = Finding("catalog", "corruption", "row missing", "pg_auth_members.roleid: row missing (role rh1234abcd_o_2)")
ERROR = Finding("errors", "internal error", "cache lookup failed", "cache lookup failed for role 5, while nobody changed o_4")
SAME = Finding("contents", "wrong result", "other rows", "o_2: other rows than must hold")
OTHER = Finding("contents", "wrong result", "other rows here", "o_3: other rows than must hold")


def test_what_follows_from_a_broken_catalog_is_attached_to_the_corruption() -> None:
    told, left = without_consequences([ORPHAN, ERROR, SAME, OTHER])
    assert left == OTHER
    assert told.id == ORPHAN.id
    assert told.detail == (f"and then: {ERROR.title}", f"and then: {SAME.title}")


def test_in_a_sound_catalog_each_finding_is_one_of_its_own() -> None:
    assert without_consequences([ERROR, SAME, OTHER]) == [ERROR, SAME, OTHER]
