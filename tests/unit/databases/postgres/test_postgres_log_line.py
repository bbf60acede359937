"""What a line of a server's log says."""

from __future__ import annotations

from racehound.databases.postgres.dialect import POSTGRES


def test_a_session_is_named_as_racehound_names_it() -> None:
    line = "8\tclient backend\tracehound rh12345678 o_4\t42P01\tERROR:  42P01: gone\n\tmore"
    assert POSTGRES.log_line(line) == (8, "o_4: ERROR:  42P01: gone\n\tmore")


def test_a_background_process_is_named_by_its_type() -> None:
    assert POSTGRES.log_line("7\tcheckpointer\t\t00000\tLOG:  00000: late") == (7, "checkpointer: LOG:  00000: late")


def test_a_line_of_another_form_is_shown_as_it_is() -> None:
    assert POSTGRES.log_line("INFO another server's way") == (0, "INFO another server's way")
