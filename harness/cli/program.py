"""The group of verbs: errors as sentences, exit codes. The one place where what went wrong outside becomes words."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from harness.core.errors import HarnessError
from harness.core.files import describe_misspelt_cache
from harness.core.text import replace_invisible

LONGEST = 1200
"""Characters of a line of an error; what a file holds, and is quoted, can be of any length."""
AS_IT_IS = "harness-as-it-is"
SURROGATE, SURROGATES = 0xDC00, ("\udc80", "\udcff")
"""By which Python holds bytes of a name that are no text."""
CLOSED = 141
"""The exit code that shells give a program whose reader has gone (128 + SIGPIPE)."""


class Program(click.Group):
    """Prints a HarnessError, and the errors of files and memory, as one sentence and exits with 2; Ctrl-C exits with
    130, a pipe that is closed early with 141 and no word."""

    def main(self, *args: Any, **extra: Any) -> Any:
        prepare_streams()
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # PyArrow's own keeps what it gave back
        if sentence := describe_misspelt_cache():
            click.echo(f"note: {sentence}", err=True)
        try:
            return super().main(*args, **extra)
        except OSError as error:  # of --help, which is written before any verb is invoked
            from harness.core.files import describe_os_error

            drop_output()
            click.echo(f"error: {describe_os_error(error)}", err=True)
            sys.exit(2)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where a closed pipe is understood, and not when Python ends
        except HarnessError as error:
            fail(ctx, str(error))
        except BrokenPipeError:
            drop_output()
            ctx.exit(CLOSED)
        except OSError as error:
            from harness.core.files import describe_os_error

            if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
                drop_output()
            fail(ctx, describe_os_error(error))
        except MemoryError:
            fail(ctx, "this machine has not enough memory for that: give it less, or ask for smaller sizes")
        except RecursionError:
            fail(ctx, "what was read is nested deeper than any file or architecture is: look at what you named")
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from harness.core.errors import suggest_names

            raise HarnessError(f"unknown command {args[0]!r}: {suggest_names(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def prepare_streams() -> None:
    """Let nothing that is printed end the program: where output is closed it goes nowhere, names of files are given
    byte by byte, and letters that the terminal's encoding lacks as \\xe4."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:  # or the next file that is opened would get what is printed
                os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w"))  # noqa: SIM115 - until the end
    codecs.register_error(AS_IT_IS, replace_unencodable)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=AS_IT_IS)


def replace_unencodable(error: UnicodeError) -> tuple[bytes, int]:
    """What stands for what an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    parts = (bytes([ord(c) - SURROGATE]) if SURROGATES[0] <= c <= SURROGATES[1] else escape_letter(c) for c in text)
    return b"".join(parts), error.end


def escape_letter(letter: str) -> bytes:
    return letter.encode("ascii", "backslashreplace")


def drop_output() -> None:
    """Send what is left to be written nowhere, or Python would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def fail(ctx: click.Context, sentence: str) -> None:
    """Say what is wrong, line by line, and exit with 2."""
    lines = (shorten_line(replace_invisible(line)) for line in sentence.splitlines())
    click.echo("error: " + "\n".join(lines), err=True)
    ctx.exit(2)


def shorten_line(line: str) -> str:
    """The line, without the middle of one that quotes too much: its end says what to do."""
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half:]}"
