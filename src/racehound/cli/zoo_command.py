"""`racehound zoo`: says that the emulator is another program now."""

from __future__ import annotations

import click

from racehound.errors import UserError


@click.command("zoo", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("_words", nargs=-1)
def command(_words: tuple[str, ...]) -> None:
    """The emulator is a program of its own now: `racehound-zoo`."""
    raise UserError("the emulator is a program of its own now: racehound-zoo, which the distribution racehound-zoo installs")
