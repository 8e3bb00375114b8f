#!/usr/bin/env python3
"""Reference values for TwinCore's CivilDate and RFC 3339 text, from Python's datetime.

    make_calendar.py > calendar.txt

One case a line: seconds since 1970 UTC, offset in seconds, year month day hour minute second, ISO weekday, RFC 3339 text.
"""
import datetime
import random

RANDOM = random.Random(20260114)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
LIMIT = 9_223_372_036
EDGES = ["1970-01-01", "1969-12-31", "2000-02-28", "2000-02-29", "2000-03-01", "1900-02-28", "1900-03-01", "2024-12-31",
         "2025-01-01", "2100-02-28", "2100-03-01", "1678-01-01", "2262-01-01", "2023-01-01", "2026-10-25", "2026-03-29"]

moments = [(datetime.datetime.fromisoformat(day + "T00:00:00+00:00") - EPOCH).total_seconds() + shift
           for day in EDGES for shift in (-1, 0, 1, 86399)]
moments += [RANDOM.randrange(-LIMIT, LIMIT) for _ in range(1000)]
for seconds in map(int, moments):
    offset = RANDOM.choice([0, 0, 3600, 7200, -18000, 20700, 45900, -12600, 50400, -43200])
    zone = datetime.timezone(datetime.timedelta(seconds=offset))
    at = (EPOCH + datetime.timedelta(seconds=seconds)).astimezone(zone)
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    print(seconds, offset, at.year, at.month, at.day, at.hour, at.minute, at.second, at.isoweekday(), text)
