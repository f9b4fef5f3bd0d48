"""The group of verbs: errors as sentences, exit codes. The one place where what went wrong outside becomes words."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from harness.core.errors import HarnessError

LONGEST = 1200
"""Characters of a line of an error; what a file holds, and is quoted, can be of any length."""
CLOSED = 141
"""The exit code that shells give a program whose reader has gone (128 + SIGPIPE)."""


class Program(click.Group):
    """Prints a HarnessError, and the errors of files and memory, as one sentence and exits with 2; Ctrl-C exits with
    130, a pipe that is closed early with 141 and no word."""

    def invoke(self, ctx: click.Context) -> Any:
        if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be text, and are given as they are
            sys.stdout.reconfigure(errors="surrogateescape")
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where a closed pipe is understood, and not when Python ends
        except HarnessError as error:
            fail(ctx, str(error))
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to be flushed
            ctx.exit(CLOSED)
        except OSError as error:
            from harness.core.files import told

            fail(ctx, told(error))
        except MemoryError:
            fail(ctx, "this machine has not enough memory for that: give it less, or ask for smaller sizes")
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from harness.core.errors import did_you_mean

            raise HarnessError(f"unknown command {args[0]!r}: {did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def fail(ctx: click.Context, sentence: str) -> None:
    """Say what is wrong, line by line, and exit with 2."""
    click.echo("error: " + "\n".join(map(shortened, sentence.splitlines())), err=True)
    ctx.exit(2)


def shortened(line: str) -> str:
    """The line, without the middle of one that quotes too much: its end says what to do."""
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half:]}"
