"""The time at the beginning of a line of a log, in every form that loggers write, and the message behind it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

LEVEL = r"\[?(?:INFO|DEBUG|WARNING|ERROR|root|__main__|naslib)\]?"
STAMP = re.compile(
    rf"^\s*(?:{LEVEL}[\s:|-]+)*[\[(]?\s*"
    r"(?:(?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{8}|\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{4})?|[A-Z][a-z]{2} +\d{1,2})"
    r"[ T,]+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"(?: ?(?P<half>[AP]M)\b)?"
    r"(?:Z|[+-]\d{2}:?\d{2})?"
)
"""With a date (2024-03-01, 20240301, 03/01, 01.03.2024, Mar 1) or without, of 24 hours or of twice 12."""
AROUND = re.compile(rf"^(?:\s|[\])]|[:|>-](?=\s)|\|(?=\s)|{LEVEL}(?=[\s:\]|-]|$)|:(?=\S))*")
"""What loggers put between a time and the message; a bar without a space behind it belongs to the message."""
BARE = re.compile(r"^\s*(?:INFO|DEBUG|WARNING|ERROR):[\w.]*:")
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: n for n, name in enumerate(NAMES, start=1)}
LEAP = 2000
"""The year of stamps that have none: a leap year, so that every day is one."""


def match_stamp(line: str) -> re.Match[str] | None:
    """The time at a line's beginning; hours and minutes alone are one behind a date only."""
    found = STAMP.match(line)
    return found if found is not None and (found["second"] or found["date"]) else None


def strip_stamp(line: str) -> str:
    """A line without the time, and what stands around it, at its beginning."""
    found = match_stamp(line)
    if found is None:
        return BARE.sub("", line).strip()
    rest = line[found.end() :]
    return rest[_count_wrapping(rest) :].strip()


def _count_wrapping(rest: str) -> int:
    found = AROUND.match(rest)
    return found.end() if found else 0


class StampClock:
    """Reads the times of a log's lines one after the other, so that a year or a day that is not written is counted
    on."""

    def __init__(self) -> None:
        self.now: datetime | None = None

    def read(self, line: str) -> datetime | None:
        """The time at a line's beginning; None where there is none."""
        found = match_stamp(line)
        if found is None:
            return None
        hour = int(found["hour"])
        if found["half"]:
            hour = hour % 12 + 12 * (found["half"] == "PM")
        year, month, day = self._day(found["date"])
        try:
            fraction = int((found["fraction"] or "0").ljust(6, "0")[:6])
            time = datetime(
                year or self._year(), month, day, hour, int(found["minute"]), int(found["second"] or 0), fraction
            )
        except ValueError:
            return None
        if self.now is not None and time < self.now:
            time = self._later(time, found["date"], year)
        self.now = time
        return time

    def _year(self) -> int:
        return self.now.year if self.now else LEAP

    def _later(self, time: datetime, date: str | None, year: int | None) -> datetime:
        """A time that seems to be before the last one: the next day or year, where it does not say which it is."""
        assert self.now is not None
        if date is None:
            return time + timedelta(days=1)
        if year is None and self.now - time > timedelta(days=1):
            return time.replace(year=time.year + 1)
        return time

    def _day(self, date: str | None) -> tuple[int | None, int, int]:
        """Year, where it is written, month and day."""
        if date is None:
            return (self.now.year, self.now.month, self.now.day) if self.now else (LEAP, 1, 1)
        if date[0].isalpha():
            name, number = date.split()
            return None, MONTHS.get(name, 0), int(number)
        if date.isdigit():
            return int(date[:4]), int(date[4:6]), int(date[6:])
        parts = [int(part) for part in re.split(r"[-/.]", date)]
        if parts[0] > 31:
            return parts[0], parts[1], parts[2]
        year = parts[2] if len(parts) == 3 else None
        # month first, as darts' own code prints it, where the day does not say otherwise
        month, day = (parts[1], parts[0]) if parts[0] > 12 or "." in date else (parts[0], parts[1])
        return year, month, day
