"""Sets of MySQL's global transaction ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from racehound_zoo.sources.mysql.gtids import GtidSet

ONE, OTHER = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "3e11fa47-71ca-11e1-9e33-c80aa9429563"
_gtids = st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.integers(1, 12)))


def test_it_is_read_as_mysql_writes_it_and_written_again() -> None:
    assert str(GtidSet(f"{ONE.upper()}:1-3:5,\n{OTHER}:7")) == f"{ONE}:1-3:5,{OTHER}:7"
    assert str(GtidSet("")) == ""


@given(_gtids, _gtids)
def test_it_is_a_set(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> None:
    sets = []
    for gtids in (first, second):
        made = GtidSet()
        for server, number in gtids:
            made.add(f"{server}:{number}")
        made = GtidSet(str(made))
        assert {(s, n) for s in (ONE, OTHER) for n in range(1, 14) if made.has(f"{s}:{n}")} == {*gtids}
        sets.append(made)
    assert sets[0].has_all_of(sets[1]) == ({*second} <= {*first})
