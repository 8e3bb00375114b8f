#!/usr/bin/env python3
"""Holds the plant's judgements to the published table, and to a second, independent runner of the same building.

    Tests/Plants/check_judgement.py

Runs `run` here with each built-in controller over 13 to 26 January. Where another runner with the same command line
exists ($TWIND_PUBLIC_PLANT, or `../shared/plants/run` beside the package), it runs too and must judge alike: cost to
0.01 EUR, every figure to 0.001. Exit code 0 when all hold, 1 otherwise.
"""

import json
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(HERE))
PUBLISHED_EUR = {"always-on": 2091, "setback": 785, "dcv": 334}
STEPS = 14 * 96
FIGURE_TOLERANCE, COST_TOLERANCE_EUR = 1e-3, 0.01
RUN_SECONDS = 300  # most of it is the first run's installation


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def judgement(runner, controller):
    """The judge's figures of one run."""
    command = [runner, str(free_port()), "--pace", "0.001", "--controller", controller]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS, check=True)
    return json.loads(done.stdout.splitlines()[-1])["judge"]


def second_runner():
    """The other implementation's path; None where there is none. One that is named must be there."""
    named = os.environ.get("TWIND_PUBLIC_PLANT")
    path = named or os.path.join(os.path.dirname(PACKAGE), "shared", "plants", "run")
    if named and not os.access(named, os.X_OK):
        sys.exit(f"TWIND_PUBLIC_PLANT={named} cannot be executed")
    return path if os.access(path, os.X_OK) else None


def differences(ours, theirs):
    """Sentences for every figure that the two judges see differently."""
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(name), theirs.get(name)
        tolerance = COST_TOLERANCE_EUR if name == "cost_eur" else FIGURE_TOLERANCE
        # Both are rounded to 0.001: half a digit of slack keeps the comparison itself exact.
        if a is None or b is None or abs(a - b) > tolerance + 1e-9:
            found.append(f"{name}: {a} here, {b} there")
    return found


def check(controller, other):
    """One line of the table; the sentences of what does not hold."""
    ours = judgement(os.path.join(HERE, "run"), controller)
    wrong = []
    if round(ours["cost_eur"]) != PUBLISHED_EUR[controller]:
        wrong.append(f"cost_eur: {ours['cost_eur']} here, {PUBLISHED_EUR[controller]} published")
    if ours["steps"] != STEPS:
        wrong.append(f"steps: {ours['steps']} here, {STEPS} published")
    theirs = judgement(other, controller) if other else None
    if theirs:
        wrong += differences(ours, theirs)
    print(f"{controller:10} {ours['cost_eur']:10.3f} {theirs['cost_eur'] if theirs else '-':>10} "
          f"{PUBLISHED_EUR[controller]:9} {ours['heat_kwh']:11.3f} {ours['electricity_kwh']:15.3f} "
          f"{ours['discomfort_kh']:14.3f}  {'differs' if wrong else 'ok'}", flush=True)
    return [f"{controller} {sentence}" for sentence in wrong]


def main():
    other = second_runner()
    print("second runner:", other or "none here; against the table alone")
    print(f"{'controller':10} {'EUR here':>10} {'EUR there':>10} {'published':>9} {'heat kWh':>11} "
          f"{'electricity kWh':>15} {'discomfort K·h':>14}")
    wrong = [sentence for controller in PUBLISHED_EUR for sentence in check(controller, other)]
    for sentence in wrong:
        print("wrong:", sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
