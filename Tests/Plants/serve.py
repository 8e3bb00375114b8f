"""Serves the amphitheatre as a Modbus TCP device on loopback (unit 1).

One plant step is 15 minutes. With --pace S the plant moves on by itself every S seconds and holds the last commands, as
a real one does. Without it the plant waits: writing n to holding register 1000 advances it by n steps, and the reply
comes when they are done. The point list is printed as JSON on start, the plant's own judgement as JSON on exit (the end
of the run, SIGTERM or SIGINT).

input registers (function 4)            all floats are IEEE 754 single, two registers, high word first
  2i            point i
  100 + 2j      command j as last applied
  1000, 1001    step counter, uint32, high word first
  1002          1 once the run period is over
holding registers (functions 3, 6, 16)
  2j            command j
  1000          steps to advance

A command is clamped to the actuator's range and NaN becomes the start value; both are counted.
Faults, from a step on: bias.POINT:0.5@STEP (reads 0.5 high), stuck.POINT:0@STEP (freezes), coil:0.8@STEP (heats to 80 %
of the asked lift), flow:1.2@STEP (fans stuck at 1.2 kg/s), hour:3@STEP (the plant's clock is 3 h ahead).
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import signal
import struct
import sys

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from amphitheatre import CLIMATES, COMMANDS, CONTROLLERS, POINTS, STEP_S, Plant, fault
from engine import EngineError

UNIT = 1
APPLIED, STEPS, DONE = 100, 1000, 1002  # first addresses, see the layout above
IDLE_SECONDS = 0.05  # how often a plant in lock-step looks whether it is over
LINGER_SECONDS = 1.0  # after the end, so that a client can still read the last values


def words(value):
    """The two registers of a float."""
    return struct.unpack(">HH", struct.pack(">f", value))


def number(high, low):
    """The float of two registers."""
    return struct.unpack(">f", struct.pack(">HH", high, low))[0]


class Registers:
    """The device's memory, and the plant behind it."""

    def __init__(self, plant, controller=None, log=None):
        self._plant, self._controller, self._log = plant, controller, log
        self.clamped = 0
        self.inputs = dict.fromkeys([*range(2 * len(POINTS)), *range(APPLIED, APPLIED + 2 * len(COMMANDS))], 0)
        self.holding = {STEPS: 0}
        for j, command in enumerate(COMMANDS):
            self.holding[2 * j], self.holding[2 * j + 1] = words(command.start)
        if log:
            print("step", *(point.name for point in POINTS), *("cmd_" + command.name for command in COMMANDS),
                  sep=",", file=log)
        self._publish()

    async def serve(self, function, first, address, count, memory, values):
        """Answers one request; pymodbus calls it before it reads from `memory`, whose first address is `first`."""
        source = {3: self.holding, 4: self.inputs, 6: self.holding, 16: self.holding}.get(function, {})
        if any(address + i not in source for i in range(count)):
            return ExcCodes.ILLEGAL_ADDRESS
        if values is None:
            memory[address - first:address - first + count] = [source[address + i] for i in range(count)]
            return None
        self.holding.update({address + i: int(value) for i, value in enumerate(values)})
        if address <= STEPS < address + count:
            for _ in range(self.holding[STEPS]):
                self.advance()
        return None

    def advance(self):
        """One plant step with the commands as they stand; none once the run period is over."""
        if self._plant.done:
            return
        commands = self._commands()
        if self._controller:
            commands = self._controller(self._plant.truth)
        if self._log:
            self._record(commands)
        for j, command in enumerate(COMMANDS):
            value = commands[command.name]
            at = APPLIED + 2 * j
            self.inputs[at], self.inputs[at + 1] = words(command.start if value is None else value)
        self._plant.step(commands)
        self._publish()

    def _commands(self):
        """The holding registers as commands in range."""
        commands = {}
        for j, command in enumerate(COMMANDS):
            asked = number(self.holding[2 * j], self.holding[2 * j + 1])
            taken = command.start if math.isnan(asked) else min(command.high, max(command.low, asked))
            # A limit itself arrives rounded to single precision: that is not a clamp. NaN compares false: it is one.
            self.clamped += not abs(taken - asked) <= 1e-4
            commands[command.name] = taken
        return commands

    def _record(self, commands):
        values = [self._plant.truth[point.name] for point in POINTS] + [commands[c.name] for c in COMMANDS]
        print(self._plant.judge.steps, *("" if value is None else f"{value:.6g}" for value in values),
              sep=",", file=self._log, flush=True)

    def _publish(self):
        sensed, steps = self._plant.sensed(), self._plant.judge.steps
        for i, point in enumerate(POINTS):
            self.inputs[2 * i], self.inputs[2 * i + 1] = words(sensed[point.name])
        self.inputs[STEPS], self.inputs[STEPS + 1] = steps >> 16, steps & 0xFFFF
        self.inputs[DONE] = int(self._plant.done)


def point_list(port):
    """What the device offers, in the shape that is printed on start."""
    points = {point.name: {"register": 2 * i, "unit": point.unit, "what": point.what}
              for i, point in enumerate(POINTS)}
    commands = {command.name: {"register": 2 * j, "applied_input": APPLIED + 2 * j, "unit": command.unit,
                               "min": command.low, "max": command.high, "start": command.start}
                for j, command in enumerate(COMMANDS)}
    return {"port": port, "unit": UNIT, "step_s": STEP_S, "input": points, "holding": commands}


async def listen(registers, port):
    """A listening server over the registers; bits do not exist in this device."""
    memory = [SimData(0, values=[0] * (DONE + 1), datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[False] * 8, datatype=DataType.BITS)]  # demanded by the library, refused by `serve`
    device = SimDevice(UNIT, simdata=(bits, bits, memory, memory), action=registers.serve)
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    return server


async def run(options):
    """The device's life: build, serve, release."""
    plant = Plant(os.environ["TWIND_PLANT_ASSETS"], options.climate, options.begin, options.end, options.fault)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(plant.close)
        log = cleanup.enter_context(open(options.log, "w", encoding="utf-8")) if options.log else None
        await live(plant, Registers(plant, CONTROLLERS.get(options.controller), log), options.port, options.pace)


async def live(plant, registers, port, pace):
    """Listens, moves on, and judges at the end, whatever ends it."""
    stop = asyncio.Event()
    for number_of_signal in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number_of_signal, stop.set)
    server = await listen(registers, port)
    try:
        print(json.dumps(point_list(server.transport.sockets[0].getsockname()[1])), flush=True)
        while not plant.done and not stop.is_set():
            await asyncio.sleep(pace or IDLE_SECONDS)
            if pace and not stop.is_set():
                registers.advance()
        if not stop.is_set():
            await asyncio.sleep(LINGER_SECONDS)
    finally:
        print(json.dumps({"judge": plant.judge.report(registers.clamped)}), flush=True)
        await server.shutdown()


def month_and_day(text):
    """Reads M-D for argparse."""
    month, day = (int(part) for part in text.split("-"))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(text)
    return month, day


def seconds(text):
    """Reads a pace for argparse: zero (lock-step) or more."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def parse():
    parser = argparse.ArgumentParser(
        prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int, help="TCP port on 127.0.0.1; 0 picks a free one, told in the JSON")
    parser.add_argument("--pace", type=seconds, default=0.0, metavar="S", help="seconds per plant step")
    parser.add_argument("--log", metavar="FILE", help="CSV of the true state and the commands, one line per step")
    parser.add_argument("--from", dest="begin", type=month_and_day, default=(1, 13), metavar="M-D")
    parser.add_argument("--to", dest="end", type=month_and_day, default=(1, 26), metavar="M-D", help="included")
    parser.add_argument("--controller", default="none", choices=["none", *CONTROLLERS],
                        help="rules inside the plant, to be beaten; none takes the commands from the registers")
    parser.add_argument("--climate", default="lux", choices=CLIMATES)
    parser.add_argument("--fault", action="append", default=[], type=fault, metavar="KIND:SIZE@STEP")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(run(parse()))
    except (EngineError, OSError, RuntimeError) as error:
        sys.exit(f"run: {error}")
