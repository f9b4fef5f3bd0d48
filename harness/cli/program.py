"""The group of verbs: errors as sentences, exit codes."""

from __future__ import annotations

from typing import Any

import click

from harness.core.errors import HarnessError


class Program(click.Group):
    """Prints a HarnessError as one sentence and exits with 2; Ctrl-C exits with 130."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from harness.core.errors import did_you_mean

            raise HarnessError(f"unknown command {args[0]!r}: {did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)
