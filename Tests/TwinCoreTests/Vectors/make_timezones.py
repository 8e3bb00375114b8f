#!/usr/bin/env python3
"""What Python's zoneinfo says of local times, from the machine's own tzdata.

    make_timezones.py > timezones.txt

Lines: `utc ZONE seconds offset abbreviation daylight` and `local ZONE year month day hour minute second utc_seconds`. With
fold 0 (PEP 495) a repeated time is the first and a skipped one is shifted forward, as TimeZoneRules says.
"""
import random
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Europe/Dublin"]
RANDOM = random.Random(20260113)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def offset(zone, second):
    return (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()


def changes(zone, first_year, last_year):
    """The first second of each new offset, found by bisection between days."""
    day = int((datetime(first_year, 1, 1, tzinfo=timezone.utc) - EPOCH).total_seconds())
    end = int((datetime(last_year + 1, 1, 1, tzinfo=timezone.utc) - EPOCH).total_seconds())
    while day < end:
        if offset(zone, day) != offset(zone, day + 86400):
            low, high = day, day + 86400
            while high - low > 1:
                middle = (low + high) // 2
                if offset(zone, middle) == offset(zone, low):
                    low = middle
                else:
                    high = middle
            yield high
        day += 86400


def main():
    for name in ZONES:
        zone = ZoneInfo(name)
        seconds = [RANDOM.randint(-5_000_000_000, 9_000_000_000) for _ in range(60)]
        locals_ = []
        # Far past 2037, where the table ends and the footer's rule begins, and recent years.
        for first, last in [(1968, 1977), (1985, 1987), (2024, 2027), (2036, 2040), (2099, 2100), (2240, 2241)]:
            for change in changes(zone, first, last):
                seconds += [change - 1, change, change + 1]
                for minutes in (-91, -60, -45, -30, -15, -1, 0, 1, 15, 30, 45, 59, 60, 89):
                    before = EPOCH.replace(tzinfo=None) + timedelta(seconds=change) + offset(zone, change - 1)
                    locals_.append(before + timedelta(minutes=minutes))
        for _ in range(40):
            locals_.append(datetime(RANDOM.randint(1800, 2260), RANDOM.randint(1, 12), RANDOM.randint(1, 28),
                                    RANDOM.randint(0, 23), RANDOM.randint(0, 59), RANDOM.randint(0, 59)))
        for second in seconds:
            at = (EPOCH + timedelta(seconds=second)).astimezone(zone)
            print("utc", name, second, int(at.utcoffset().total_seconds()), at.tzname(), int(bool(at.dst())))
        for local in locals_:
            utc = local.replace(tzinfo=zone, fold=0).astimezone(timezone.utc) - EPOCH
            fields = (local.year, local.month, local.day, local.hour, local.minute, local.second)
            print("local", name, *fields, utc.days * 86400 + utc.seconds)


main()
