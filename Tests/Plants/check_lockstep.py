#!/usr/bin/env python3
"""Drives the plant step by step over Modbus, as a controller would, and holds its answers to the register map.

    .venv/bin/python Tests/Plants/check_lockstep.py        (any Python with pymodbus 3.16.1)

Where a second runner exists (see check_judgement.py), the same commands must give the same registers there, bit for
bit. Exit code 0 when all hold, 1 otherwise.
"""

import contextlib
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import time

from pymodbus.client import ModbusTcpClient

from check_judgement import HERE, free_port, second_runner

OURS = os.path.join(HERE, "run")
CONNECT_SECONDS, EXIT_SECONDS = 20, 30
DAY_STEPS = 96
CLAMPED = (60.0, 1.0, 2.68)  # the supply air is above its 45 °C
UNKNOWN = (float("nan"), 1.0, 2.0)
SCRIPT = [(25.0, 1.0, 2.0)] * 4 + [CLAMPED] * 2 + [(18.0, 0.0, 0.7)] * 3 + [UNKNOWN] * 2 + [(30.0, 1.0, 9.0)]
REFUSED_STEPS = 5  # of the script: the clamped, the unknown and the flow of 9 kg/s

# A refused connection is expected while a plant starts, and retried.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class Device:
    """A running plant and a client to it."""

    def __init__(self, runner, *options, port=None):
        port = free_port() if port is None else port
        self.process = subprocess.Popen([runner, str(port), *options], stdout=subprocess.PIPE, text=True)
        self.points = json.loads(self.process.stdout.readline())
        self.client = ModbusTcpClient("127.0.0.1", port=self.points["port"], timeout=30)
        deadline = time.monotonic() + CONNECT_SECONDS
        while not self.client.connect():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{runner} does not listen on {self.points['port']}")
            time.sleep(0.1)

    def inputs(self, first, count):
        return tuple(self.client.read_input_registers(first, count=count, device_id=1).registers)

    def point(self, name):
        return struct.unpack(">f", struct.pack(">HH", *self.inputs(self.points["input"][name]["register"], 2)))[0]

    def command(self, values):
        words = struct.unpack(">6H", struct.pack(">3f", *values))
        assert not self.client.write_registers(0, list(words), device_id=1).isError()

    def advance(self, steps):
        assert not self.client.write_register(1000, steps, device_id=1).isError()

    def counter(self):
        high, low, done = self.inputs(1000, 3)
        return (high << 16) + low, done

    def state(self):
        """Everything readable: points, applied commands, counter."""
        return self.inputs(0, 26) + self.inputs(100, 6) + self.inputs(1000, 3)

    def end(self, ask=True):
        """The judgement; `ask` sends SIGTERM first."""
        self.client.close()
        if ask:
            self.process.send_signal(signal.SIGTERM)
        last = self.process.communicate(timeout=EXIT_SECONDS)[0].splitlines()[-1]
        return json.loads(last)["judge"]


@contextlib.contextmanager
def device(runner, *options, port=None):
    running = Device(runner, *options, port=port)
    try:
        yield running
    finally:
        running.process.terminate()
        try:
            running.process.communicate(timeout=EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()


def floats(words):
    return struct.unpack(f">{len(words) // 2}f", struct.pack(f">{len(words)}H", *words))


def single(value):
    return struct.unpack(">f", struct.pack(">f", value))[0]


def play(runner, *options):
    """The states after every step of the script, and the judgement."""
    with device(runner, *options) as plant:
        states = [plant.state()]
        for values in SCRIPT:
            plant.command(values)
            plant.advance(1)
            states.append(plant.state())
        return states, plant.end()


def counts_and_waits():
    """Port 0 is told; the plant stands still until asked, then moves by as many steps as asked."""
    with device(OURS, port=0) as plant:
        assert plant.points["port"] > 0 and plant.points["step_s"] == 900
        before = plant.state()
        time.sleep(0.3)
        assert plant.state() == before and plant.counter() == (0, 0)
        plant.advance(4)
        assert plant.counter() == (4, 0) and plant.state() != before
        assert plant.client.read_holding_registers(1000, count=1, device_id=1).registers == [4]
        assert plant.end()["steps"] == 4


def bounds_its_commands():
    """A command beyond the range, or NaN, is replaced, shown as applied, and counted."""
    states, judge = play(OURS)
    applied = [floats(state[26:32]) for state in states[1:]]
    assert applied[3] == (25.0, 1.0, 2.0), applied[3]
    assert applied[4] == (45.0, 1.0, single(2.68)), applied[4]
    assert applied[9] == (21.0, 1.0, 2.0), applied[9]
    assert applied[11] == (30.0, 1.0, single(2.68)), applied[11]
    assert judge["clamped_commands"] == REFUSED_STEPS and judge["steps"] == len(SCRIPT), judge


def refuses_unknown_addresses():
    """Gaps in the map, bits and input registers beyond the end answer with exception 2."""
    with device(OURS) as plant:
        client = plant.client
        for answer in (client.read_input_registers(26, count=1, device_id=1),
                       client.read_input_registers(24, count=4, device_id=1),
                       client.read_holding_registers(6, count=1, device_id=1),
                       client.write_register(999, 1, device_id=1),
                       client.read_coils(0, count=1, device_id=1),
                       client.write_registers(4, [0, 0, 0], device_id=1)):
            assert answer.isError() and answer.exception_code == 2, answer
        plant.end()


def repeats_itself():
    """Same commands, same registers, bit for bit; other commands, others."""
    assert play(OURS) == play(OURS)
    assert play(OURS) != play(OURS, "--climate", "brest")


def ends_when_over():
    """A day has 96 steps, however many are asked; then the device says done, judges and exits by itself."""
    with device(OURS, "--from", "1-13", "--to", "1-13") as plant:
        plant.advance(200)
        assert plant.counter() == (DAY_STEPS, 1), plant.counter()
        assert plant.end(ask=False)["steps"] == DAY_STEPS
        assert plant.process.returncode == 0


def breaks_as_asked():
    """Faulty sensors lie from their step on; the judge does not believe them. Faulty actuators change the truth."""
    lying = ("--fault", "bias.zone_t:0.5@2", "--fault", "stuck.outdoor_t:0@3", "--fault", "hour:3@2")
    feeble = ("--fault", "coil:0.5@0", "--fault", "flow:1.2@0")
    with device(OURS, *lying) as sick, device(OURS) as well, device(OURS, *feeble) as weak:
        outdoor = []
        for step in range(1, 7):
            for plant in (sick, well, weak):
                plant.command((30.0, 1.0, 2.0))
                plant.advance(1)
            bias = sick.point("zone_t") - well.point("zone_t")
            assert abs(bias - (0.5 if step >= 2 else 0.0)) < 1e-5, (step, bias)
            hours = (sick.point("hour") - well.point("hour")) % 24
            assert abs(hours - (3.0 if step >= 2 else 0.0)) < 1e-5, (step, hours)
            outdoor.append(sick.point("outdoor_t"))
        assert len(set(outdoor[2:])) == 1 and outdoor[5] != well.point("outdoor_t"), outdoor
        assert abs(weak.point("supply_flow") - 1.2) < 1e-3 and abs(well.point("supply_flow") - 2.0) < 1e-3
        assert weak.point("supply_t") < well.point("supply_t") - 1
        weak.end()
        assert sick.end() == well.end()


def matches_the_second_runner():
    """The same registers after every step, with and without faults."""
    other = second_runner()
    if other is None:
        return "unknown: no second runner here"
    faults = ["--fault", "bias.zone_t:0.5@2", "--fault", "stuck.hour:0@3", "--fault", "coil:0.8@4",
              "--fault", "flow:1.2@6", "--fault", "hour:3@1", "--from", "2-1", "--to", "2-3", "--climate", "usa"]
    for options in ([], faults):
        ours, theirs = play(OURS, *options), play(other, *options)
        assert ours == theirs, (options, ours, theirs)
    return None


def main():
    checks = (counts_and_waits, bounds_its_commands, refuses_unknown_addresses, repeats_itself, ends_when_over,
              breaks_as_asked, matches_the_second_runner)
    failed = 0
    for check in checks:
        try:
            print(f"{check.__name__:28} {check() or 'ok'}", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as error:
            failed += 1
            print(f"{check.__name__:28} failed: {type(error).__name__} {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
