"""The page of the command line: every verb with its arguments and options, as `--help` says them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from harness.cli.main import main
from tools.reference.words import escaped, line


def commands() -> Iterator[str]:
    """The program, and every verb below it."""
    yield "# Command line\n"
    yield from described(main, click.Context(main, info_name="harness", **main.context_settings), 2)


def described(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """A verb: its usage, what it does, its options; then the verbs below it."""
    yield f"{'#' * level} {context.command_path}\n"
    told = inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield f"{escaped(told)}\n"
    usage = click.HelpFormatter(width=100)
    usage.write_usage(context.command_path, " ".join(command.collect_usage_pieces(context)))
    yield f"```text\n{usage.getvalue().rstrip()}\n```\n"
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    if records:
        yield from (f"- `{name}`" + (f": {line(what)}" if what else "") for name, what in records)
        yield ""
    below = click.HelpFormatter(width=100)
    command.format_epilog(context, below)
    if below.getvalue().strip():
        yield f"```text\n{inspect.cleandoc(below.getvalue()).strip()}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from described(found, click.Context(found, info_name=name, parent=context), level + 1)
