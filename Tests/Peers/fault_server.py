#!/usr/bin/env python3
"""A Modbus device that misbehaves on request, for tests. Binds to 127.0.0.1.

    fault_server.py [--port 0] [--framing tcp|rtu] [--units 1,2] [--registers 1000] [--fault KIND[:KEY=VALUE,...]]...
    fault_server.py --honest [--port 0] [--framing tcp|rtu] [--units 1] [--registers 1000]     pymodbus instead, no faults

It prints {"port": N} when it listens. Then it reads commands on stdin, one a line, and prints one line of JSON for each:

    stats                          {"requests": n, "connections": n, "open": n, "writes": {"1": n}, "functions": {"3": n}}
    poke UNIT ADDRESS VALUE        sets a holding register
    peek UNIT ADDRESS              {"value": n}
    log                            {"log": "UNIT FUNCTION ADDRESS VALUE…;…"}: the writes that arrived, in order (the first 1000)
    fault KIND[:KEY=VALUE,...]     adds a fault from now on
    clear                          removes all faults
    drop                           resets all connections

It ends at end of file on stdin. --honest knows "stats" alone, without connection counts.

Memory of unit u at address a < --registers: holding register (1000 u + a) mod 65536, input register that plus 0x4000, coil
(a + u) mod 3 = 0, discrete input (a + u) mod 2 = 0. Other addresses: exception 2. Unit not in --units: exception 11.
Functions 1-6, 15, 16, 22 and 23 are served.

Faults. The first that fits a request acts alone ("torn" and "dribble" also carry exceptions). Keys of all kinds:
    unit=U  fc=F  at=A-B (the request touches an address in A to B)   which requests fit; all by default
    first=N (the first N that fit)  after=N (not the first N)  every=N (each Nth)  opening=N (the first N of a connection)

    hole                 exception 2                      exception:code=4     that exception
    silent               no reply (a dead unit)           delay:ms=800         the right reply, later; the next is not held up
    wrong-tid:by=1       transaction id + by              stale                the reply to the request before this one
    wrong-unit:to=9      reply of another unit            wrong-function:to=6  reply with another function
    short:by=2           PDU without its last bytes, lengths of the frame consistent; the byte count inside stays
    long:by=2            PDU with bytes added, in the same way
    byte-count:by=-2     byte count inside the PDU changed, length of the frame as it was
    bad-protocol:id=4660 protocol id                      bad-length:to=0      length in the header
    bad-crc              checksum wrong (rtu)             garbage:size=40      random bytes instead
    torn:size=3,ms=20    in pieces, with pauses           dribble:ms=100       one byte each
    cut:size=5           the first bytes, then nothing    reset:size=5         the first bytes, then RST
    close:size=0         the first bytes, then FIN        double               the reply twice
    ack-only             a write is confirmed, not done   one-socket           (no keys) a second connection is reset
    flood:count=100      the reply before this one, count times
    lost                 no reply, and a write is not done either
"""
import argparse, asyncio, json, random, socket, struct, sys

READS = (1, 2, 3, 4)
TABLES = {1: "coils", 2: "discretes", 3: "holding", 4: "inputs"}
DEFAULTS = {
    "hole": {}, "exception": {"code": 4}, "silent": {}, "delay": {"ms": 800}, "wrong-tid": {"by": 1}, "stale": {},
    "wrong-unit": {"to": 9}, "wrong-function": {"to": 6}, "short": {"by": 2}, "long": {"by": 2}, "byte-count": {"by": -2},
    "bad-protocol": {"id": 0x1234}, "bad-length": {"to": 0}, "bad-crc": {}, "garbage": {"size": 40},
    "torn": {"size": 3, "ms": 20}, "dribble": {"ms": 100}, "cut": {"size": 5}, "reset": {"size": 5}, "close": {"size": 0},
    "double": {}, "ack-only": {}, "one-socket": {}, "flood": {"count": 100}, "lost": {},
}
SCOPE = ("unit", "fc", "first", "after", "every", "opening")


class Refusal(Exception):
    def __init__(self, code):
        self.code = code


class Fault:
    def __init__(self, text):
        self.kind, _, rest = text.partition(":")
        if self.kind not in DEFAULTS:
            raise argparse.ArgumentTypeError(f"fault {text!r}: KIND is one of {', '.join(DEFAULTS)}")
        self.args, self.scope, self.at, self.seen = dict(DEFAULTS[self.kind]), {}, None, 0
        for pair in filter(None, rest.split(",")):
            key, _, value = pair.partition("=")
            if key == "at":
                low, _, high = value.partition("-")
                self.at = (int(low), int(high or low))
            elif key in SCOPE:
                self.scope[key] = int(value)
            elif key in self.args:
                self.args[key] = int(value)
            else:
                raise argparse.ArgumentTypeError(f"fault {text!r}: no key {key!r}")

    def fits(self, unit, pdu, nth_of_connection):
        s = self.scope
        if "unit" in s and s["unit"] != unit or "fc" in s and s["fc"] != pdu[0]:
            return False
        if "opening" in s and nth_of_connection > s["opening"]:
            return False
        if self.at and not any(low <= self.at[1] and high >= self.at[0] for low, high in touched(pdu)):
            return False
        self.seen += 1
        if "first" in s and self.seen > s["first"] or "after" in s and self.seen <= s["after"]:
            return False
        return not ("every" in s and self.seen % s["every"])


def word(data, at):
    return struct.unpack_from(">H", data, at)[0]


def touched(pdu):
    """Address ranges, both ends included."""
    if len(pdu) < 5:
        return []
    address = word(pdu, 1)
    count = 1 if pdu[0] in (5, 6, 22) else word(pdu, 3)
    ranges = [(address, address + count - 1)]
    if pdu[0] == 23 and len(pdu) >= 9:
        ranges.append((word(pdu, 5), word(pdu, 5) + word(pdu, 7) - 1))
    return ranges


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def start_values(unit, registers):
    holding = [(1000 * unit + a) & 0xFFFF for a in range(registers)]
    return {
        "holding": holding, "inputs": [(v + 0x4000) & 0xFFFF for v in holding],
        "coils": [(a + unit) % 3 == 0 for a in range(registers)],
        "discretes": [(a + unit) % 2 == 0 for a in range(registers)],
    }


def packed(bits):
    return bytes(sum(1 << i for i, bit in enumerate(bits[k:k + 8]) if bit) for k in range(0, len(bits), 8))


class Device:
    def __init__(self, units, registers):
        self.registers = registers
        self.memory = {unit: start_values(unit, registers) for unit in units}

    def answer(self, unit, pdu, store=True):
        try:
            if unit not in self.memory:
                raise Refusal(11)
            return self.served(self.memory[unit], pdu, store)
        except Refusal as refusal:
            return bytes([pdu[0] | 0x80, refusal.code])
        except (struct.error, IndexError):
            return bytes([pdu[0] | 0x80, 3])

    def check(self, address, count, most):
        if not 1 <= count <= most:
            raise Refusal(3)
        if address + count > self.registers:
            raise Refusal(2)

    def served(self, memory, pdu, store):
        function, address, second = pdu[0], word(pdu, 1), word(pdu, 3)
        if function in READS:
            self.check(address, second, 2000 if function < 3 else 125)
            values = memory[TABLES[function]][address:address + second]
            data = packed(values) if function < 3 else struct.pack(f">{second}H", *values)
            return bytes([function, len(data)]) + data
        if function in (5, 6):
            self.check(address, 1, 1)
            if function == 5 and second not in (0, 0xFF00):
                raise Refusal(3)
            self.put(memory, "coils" if function == 5 else "holding", address, [second != 0 if function == 5 else second], store)
            return pdu
        if function == 15:
            self.check(address, second, 1968)
            bits = [bool(pdu[6 + i // 8] >> i % 8 & 1) for i in range(second)]
            self.put(memory, "coils", address, bits, store)
            return pdu[:5]
        if function == 16:
            self.check(address, second, 123)
            self.put(memory, "holding", address, struct.unpack_from(f">{second}H", pdu, 6), store)
            return pdu[:5]
        if function == 22:
            self.check(address, 1, 1)
            mask = word(pdu, 5)
            self.put(memory, "holding", address, [memory["holding"][address] & second | mask & ~second & 0xFFFF], store)
            return pdu
        if function == 23:
            to, count = word(pdu, 5), word(pdu, 7)
            self.check(address, second, 125)
            self.check(to, count, 121)
            self.put(memory, "holding", to, struct.unpack_from(f">{count}H", pdu, 10), store)
            data = struct.pack(f">{second}H", *memory["holding"][address:address + second])
            return bytes([23, len(data)]) + data
        raise Refusal(1)

    @staticmethod
    def put(memory, table, address, values, store):
        if store:
            memory[table][address:address + len(values)] = values


class Server:
    def __init__(self, options):
        self.rtu = options.framing == "rtu"
        self.faults = options.fault
        self.device = Device(options.units, options.registers)
        self.requests = self.connections = 0
        self.writes, self.functions, self.log = {}, {}, []
        self.writers, self.tasks = set(), set()

    def stats(self):
        return {"requests": self.requests, "connections": self.connections, "open": len(self.writers),
                "writes": self.writes, "functions": self.functions}

    def framed(self, tid, unit, pdu, fault):
        kind, a = (fault.kind, fault.args) if fault else (None, {})
        if kind == "wrong-unit":
            unit = a["to"]
        if kind == "wrong-function":
            pdu = bytes([a["to"]]) + pdu[1:]
        if kind == "short":
            pdu = pdu[:max(1, len(pdu) - a["by"])]
        if kind == "long":
            pdu += bytes(a["by"])
        if kind == "byte-count":
            pdu = bytes([pdu[0], max(0, pdu[1] + a["by"])]) + pdu[2:]
        if self.rtu:
            frame = bytes([unit]) + pdu
            crc = crc16(frame) ^ (0xFFFF if kind == "bad-crc" else 0)
            return frame + struct.pack("<H", crc)
        tid = (tid + a["by"]) & 0xFFFF if kind == "wrong-tid" else tid
        protocol = a["id"] if kind == "bad-protocol" else 0
        length = a["to"] if kind == "bad-length" else 1 + len(pdu)
        return struct.pack(">HHHB", tid, protocol, length, unit) + pdu

    async def read_request(self, reader):
        if not self.rtu:
            tid, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            return tid, unit, await reader.readexactly(length - 1)
        head = await reader.readexactly(2)
        if head[1] in (15, 16):
            head += await reader.readexactly(5)
            rest = head[6]
        elif head[1] == 23:
            head += await reader.readexactly(9)
            rest = head[10]
        else:
            rest = 6 if head[1] == 22 else 4
        frame = head + await reader.readexactly(rest + 2)
        return 0, frame[0], frame[1:-2]

    async def serve(self, reader, writer):
        self.connections += 1
        if self.writers and any(f.kind == "one-socket" for f in self.faults):
            return self.reset(writer)
        self.writers.add(writer)
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        nth, before = 0, b""
        try:
            while True:
                tid, unit, pdu = await self.read_request(reader)
                nth += 1
                before = await self.handle(writer, tid, unit, pdu, nth, before)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the program ends
        finally:
            self.writers.discard(writer)
            writer.close()

    async def handle(self, writer, tid, unit, pdu, nth, before):
        """Answers one request and returns the frame that a faultless device would have sent."""
        self.requests += 1
        self.functions[str(pdu[0])] = self.functions.get(str(pdu[0]), 0) + 1
        if pdu[0] not in READS:
            self.writes[str(unit)] = self.writes.get(str(unit), 0) + 1
            self.note(unit, pdu)
        fault = next((f for f in self.faults if f.kind != "one-socket" and f.fits(unit, pdu, nth)), None)
        kind, a = (fault.kind, fault.args) if fault else (None, {})
        if kind in ("hole", "exception"):
            reply = bytes([pdu[0] | 0x80, a.get("code", 2)])
        else:
            reply = self.device.answer(unit, pdu, store=kind not in ("ack-only", "lost"))
        frame = self.framed(tid, unit, reply, fault)
        if kind in ("silent", "lost"):
            pass
        elif kind == "delay":
            task = asyncio.create_task(self.later(writer, frame, a["ms"]))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif kind in ("torn", "dribble"):
            await self.pieces(writer, frame, a.get("size", 1), a["ms"])
        elif kind in ("cut", "reset", "close"):
            await self.send(writer, frame[:a["size"]])
            if kind == "reset":
                await asyncio.sleep(0.05)
                self.reset(writer)
            elif kind == "close":
                writer.close()
        elif kind == "garbage":
            await self.send(writer, random.Random(a["size"]).randbytes(a["size"]))
        elif kind == "stale":
            await self.send(writer, before)
        elif kind == "flood":
            await self.send(writer, before * a["count"])
        elif kind == "double":
            await self.send(writer, frame + frame)
        else:
            await self.send(writer, frame)
        return self.framed(tid, unit, reply, None)

    def note(self, unit, pdu):
        """Keeps a write of registers or coils for `log`."""
        if len(self.log) < 1000 and len(pdu) >= 5:
            values = [word(pdu, 3)] if pdu[0] in (5, 6) else [word(pdu, k) for k in range(6, len(pdu) - 1, 2)]
            self.log.append(" ".join(str(n) for n in (unit, pdu[0], word(pdu, 1), *values)))

    @staticmethod
    async def send(writer, data):
        writer.write(data)
        await writer.drain()

    async def later(self, writer, frame, ms):
        await asyncio.sleep(ms / 1000)
        if not writer.is_closing():
            await self.send(writer, frame)

    async def pieces(self, writer, frame, size, ms):
        for k in range(0, len(frame), size):
            await self.send(writer, frame[k:k + size])
            await asyncio.sleep(ms / 1000)

    @staticmethod
    def reset(writer):
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def command(self, line):
        name, *args = line.split()
        if name == "stats":
            return self.stats()
        if name == "log":
            return {"log": ";".join(self.log)}
        if name == "poke":
            unit, address, value = map(int, args)
            self.device.memory[unit]["holding"][address] = value
        elif name == "peek":
            unit, address = map(int, args)
            return {"value": self.device.memory[unit]["holding"][address]}
        elif name == "fault":
            self.faults.append(Fault(args[0]))
        elif name == "clear":
            self.faults.clear()
        elif name == "drop":
            for writer in list(self.writers):
                self.reset(writer)
        else:
            return {"error": f"no command {name!r}"}
        return {"ok": True}


async def honest(options):
    from pymodbus.constants import ExcCodes
    from pymodbus.framer import FramerType
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice
    stats = {"requests": 0, "writes": {}, "functions": {}}

    def device(unit):
        values = start_values(unit, options.registers)

        async def count(function, _start, _address, _count, _registers, written) -> ExcCodes | None:
            stats["requests"] += 1
            stats["functions"][str(function)] = stats["functions"].get(str(function), 0) + 1
            if written is not None:
                stats["writes"][str(unit)] = stats["writes"].get(str(unit), 0) + 1
            return None
        bits = lambda name: [SimData(0, values=values[name], datatype=DataType.BITS)]
        words = lambda name: [SimData(0, values=values[name], datatype=DataType.REGISTERS)]
        return SimDevice(unit, simdata=(bits("coils"), bits("discretes"), words("holding"), words("inputs")), action=count)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", options.port))
        port = probe.getsockname()[1]
    framer = FramerType.RTU if options.framing == "rtu" else FramerType.SOCKET
    server = ModbusTcpServer([device(u) for u in options.units], framer=framer, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    return port, lambda line: stats if line.strip() == "stats" else {"error": "an honest server knows stats alone"}


async def faulty(options):
    server = Server(options)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", options.port)
    server.listener = listener
    return listener.sockets[0].getsockname()[1], server.command


async def main(options):
    port, command = await (honest if options.honest else faulty)(options)
    print(json.dumps({"port": port}), flush=True)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        try:
            answer = command(line.decode()) if line.strip() else {"error": "empty line"}
        except (ValueError, LookupError, argparse.ArgumentTypeError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def numbers(text):
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--framing", choices=["tcp", "rtu"], default="tcp")
    parser.add_argument("--units", type=numbers, default=[1])
    parser.add_argument("--registers", type=int, default=1000)
    parser.add_argument("--honest", action="store_true")
    parser.add_argument("--fault", action="append", default=[], type=Fault, metavar="KIND[:KEY=VALUE,...]")
    asyncio.run(main(parser.parse_args()))
