"""`harness`, and `python -m harness`."""

from __future__ import annotations

import sys


def start() -> None:
    """Run the program. Ctrl-C while it is imported, which takes seconds on a slow disk, ends it as it does later."""
    try:
        from harness.cli.main import main
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    main()


if __name__ == "__main__":
    start()
