"""`racehound zoo`: says that the emulator is now `racehound-zoo`."""

from __future__ import annotations

import click

from racehound.errors import UserError


@click.command("zoo", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def command() -> None:
    """The emulator for tests is a distribution of its own now: `racehound-zoo`."""
    raise UserError(
        "the emulator is a program of its own now: install racehound-zoo (in the clone: make zoo) and run racehound-zoo"
    )
