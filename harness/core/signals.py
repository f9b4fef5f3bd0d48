"""Being asked to stop: Ctrl-C, SIGTERM, and the warning that SLURM sends before a time limit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(s for name in ("SIGINT", "SIGTERM", "SIGUSR1") if (s := getattr(signal, name, None)) is not None)


class Stopped(KeyboardInterrupt):
    """This process was asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code by which shells know the signal."""
        return 128 + self.number


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Let the signals raise `Stopped` while the block runs. What computes gives its epoch up: the last one is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may
        return

    def stop(number: int, frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # a second one is not to interrupt the tidying up
        raise Stopped(number)

    with keep_handlers():
        for each in SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, stop)
        yield


@contextmanager
def hold_signals() -> Iterator[None]:
    """Let no signal raise what its handler raises while the block runs; one that came does so after it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread alone
        return
    came: list[int] = []
    handlers = {each: found for each in signal.valid_signals() if callable(found := signal.getsignal(each))}
    try:
        for each in handlers:
            signal.signal(each, lambda number, frame: came.append(number))
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)


@contextmanager
def keep_handlers() -> Iterator[None]:
    """Put the handlers of the signals back that a library replaces while the block runs, with Python's knowledge or
    without."""
    before = {each: handler for each in SIGNALS if (handler := signal.getsignal(each)) is not None}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for each, handler in before.items():
                signal.signal(each, handler)
