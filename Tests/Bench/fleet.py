"""What belonging to a fleet costs: in the gateway's memory, on its line, and in the foundation's processor."""
import pathlib, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Support"))
from fleet_stand import Fleet, within
import exchange
from stand import BINARIES, Daemon, Failure, Slave, run, write_pack

import json

WARM_UP_SECONDS = 20
WINDOW_SECONDS = 25
IDLE_SECONDS = 180


def figures(scratch):
    for line in run(BINARIES / "twind-bench", "sync", scratch / "sync").splitlines():
        figure = json.loads(line)
        yield figure["figure"], figure["value"], figure["unit"], figure["goal"], figure["better"]
    yield from exchange.figures(scratch)
    yield from site(scratch)


def site(scratch):
    """The run of collect.rss_mb with the store and a TLS session on; then the bytes of three quiet minutes at the socket."""
    fleet = Fleet(BINARIES, scratch / "fleet")
    try:
        fleet.start_broker()
        fleet.start_foundation()
        with Slave(scratch, 1000) as slave:
            pack = write_pack(scratch / "pack", slave.port, [(f"r{address}", address) for address in range(1000)],
                              ("r0", 0, 65535))
            run(BINARIES / "twinctl", "pack", "sign", pack, "--keys", fleet.keys)
            state, config = scratch / "state", scratch / "enrol.yaml"
            state.mkdir()
            config.write_text(f"pack: {pack}\nstate: {state}\nsocket: {scratch}/s.sock\n")
            run(BINARIES / "twind", "enrol", fleet.fleet("enrol", "new", "twind.bench")["token"], "--config", config)
            with Daemon(scratch / "edge", pack, state, keys=fleet.keys) as daemon:
                within(60, "the site is current",
                       lambda: daemon.client().ask("GET", "/v1/sync")["state"] == "current")
                time.sleep(WARM_UP_SECONDS)
                window = slave.window(daemon, WINDOW_SECONDS)
                yield "edge.rss_mb", window["rss_mb"], "MB", 40, "lower"
                before, begun = fleet.line.carried, time.monotonic()
                time.sleep(IDLE_SECONDS)
                spent = time.monotonic() - begun
                yield "sync.idle_bytes_per_s", (fleet.line.carried - before) / spent, "B/s", 15, "lower"
    finally:
        fleet.close()
