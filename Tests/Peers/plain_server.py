#!/usr/bin/env python3
"""A Modbus TCP device on 127.0.0.1 that pymodbus serves and whose values pymodbus encodes: an oracle for word orders.

    plain_server.py ADDRESS:TYPE:WORDS=VALUE...      as 0:FLOAT32:little=21.5; the holding registers of unit 1

TYPE is a member of pymodbus's DATATYPE, WORDS is big or little. It prints {"port": N} and ends at end of file on stdin.
"""
import asyncio, json, socket, sys

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

REGISTERS = 200


def memory(texts):
    registers = [0] * REGISTERS
    for text in texts:
        place, _, value = text.partition("=")
        address, kind, words = place.split(":")
        datatype = ModbusClientMixin.DATATYPE[kind]
        number = float(value) if "FLOAT" in kind else int(value)
        encoded = ModbusClientMixin.convert_to_registers(number, datatype, word_order=words)
        registers[int(address):int(address) + len(encoded)] = encoded
    return registers


async def main():
    words = [SimData(0, values=memory(sys.argv[1:]), datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[False] * 8, datatype=DataType.BITS)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ModbusTcpServer(SimDevice(1, simdata=(bits, bits, words, words)), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    print(json.dumps({"port": port}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
