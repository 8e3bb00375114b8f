#!/usr/bin/env python3
"""A foundation on PostgreSQL and its sites, through what goes wrong with machines: servers and workers that are killed,
workers by the dozen, two foundations at once, a broker without a disk or without itself, a site's image that runs twice,
a backlog of weeks. Rows are those of docs/fault-matrix.md. TWIND_TEST_LONG=1: the backlog in its full size.
Exit 77: skipped.
"""
import json, os, pathlib, shutil, signal, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Support"))
from fleet_stand import MOSQUITTO, Failure, Fleet, within
from postgresql_stand import PostgreSQL

BIN = pathlib.Path(os.environ.get("TWIND_BIN_DIR") or ROOT / ".build/debug")
LONG = os.environ.get("TWIND_TEST_LONG") == "1"
WORKERS = 8


def stands(condition, what):
    if not condition:
        raise Failure(what)


# What several steps do.


def mode(fleet, name, times=1):
    """Leaves two audit entries for each time."""
    for _ in range(times):
        for word in ("observe", "auto"):
            fleet.ctl(name, "mode", "set", word, "--reason", "test", "--yes")


def stream(fleet, name, which="audit", field="next"):
    return next((s[field] for s in fleet.site(name)["streams"] if s["stream"] == which), 0)


def whole(fleet, name):
    """Nothing of the site is missing in the ledger."""
    lost = [s for s in fleet.site(name)["streams"] if s["lost"]]
    stands(not lost, f"{name} lost {lost}")


def fill(fleet, name, count, size, which="features"):
    """A backlog in the log of a site whose daemon does not run; gives the end of the stream."""
    return json.loads(fleet.run("twind-bench", "fill", fleet.sites[name] / "state", which, count, size))["next"]


def work(fleet, name, first, last):
    """Workers as a process of their own."""
    fleet.start(name, fleet.bin / "twind-foundation", "work", "--config", fleet.config, "--from", first, "--through", last)
    wanted = last - first + 1
    within(30, f"{name} is at the broker", lambda: fleet.log(name).count("state=connected") >= wanted)


# The steps.


def main_flow(fleet):
    """Enrolment and the first exchange, on PostgreSQL, with one worker of eight in the foundation."""
    for name in ("north", "south"):
        fleet.add_site(name)
        fleet.start_plant(name)
        fleet.enrol(name)
        fleet.start_edge(name)
    fleet.current("north", "south")
    stands(fleet.fleet()["ledger"] == "postgresql", "the ledger is not on the server")


def foundation_killed(fleet):
    """Row 62: killed between commit and acknowledgement, or anywhere else."""
    before = stream(fleet, "south")
    fleet.end("foundation", signal.SIGKILL)
    mode(fleet, "south")
    fleet.start_foundation("--workers", "1")
    within(60, "what happened meanwhile comes", lambda: stream(fleet, "south") >= before + 2)
    fleet.current("south")
    whole(fleet, "south")


def server_killed(fleet):
    """Rows 61 and 63: the server under the ledger dies; nothing is acknowledged that it did not keep, and it goes on."""
    before = stream(fleet, "south")
    fleet.server.kill()
    mode(fleet, "south")
    fleet.server.start()
    within(60, "what happened meanwhile comes", lambda: stream(fleet, "south") >= before + 2)
    fleet.current("south")
    whole(fleet, "south")


def workers_scaled(fleet):
    """Row 65: one worker, then eight in three processes, then one again, the others killed, while a backlog drains."""
    fleet.end("south-edge")
    end = fill(fleet, "south", 3000, 2000)
    fleet.line.rate = 1_500_000
    fleet.start_edge("south")
    within(30, "the drain begins", lambda: 0 < stream(fleet, "south", "features"))
    work(fleet, "workers-a", 2, 4)
    work(fleet, "workers-b", 5, 8)
    several = fleet.server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'twind' AND pid <> pg_backend_pid()")
    stands(int(several) >= WORKERS, f"{several.strip()} connections to the ledger, wanted {WORKERS}")
    seen = stream(fleet, "south", "features")
    stands(seen < end, f"all {end} entries came before there were eight workers: the backlog is too small")
    within(30, "eight go on", lambda: stream(fleet, "south", "features") > seen)
    fleet.end("workers-a", signal.SIGKILL)
    fleet.end("workers-b")
    fleet.line.rate = None
    within(90, "all of it comes", lambda: stream(fleet, "south", "features") == end)
    fleet.current("south")
    whole(fleet, "south")


def two_foundations(fleet):
    """Row 51: another foundation takes over from one that was frozen; the first one wakes, acknowledges nothing and ends."""
    state, config = fleet.work / "second", fleet.work / "second.yaml"
    shutil.copytree(fleet.state, state)
    shutil.rmtree(state / "tls")
    config.write_text(
        fleet.config.read_text().replace("name: hq", "name: hq2").replace(str(fleet.state), str(state))
        .replace(str(fleet.socket), str(fleet.work / "run/second.sock")).replace(f"workers: {WORKERS}", "workers: 1"))
    fleet.run("twind-foundation", "init", "--config", config, "--keys", fleet.keys)
    users = (state / "broker/twind.acl").read_text().partition("\nuser ")[2]
    with open(fleet.state / "broker/twind.acl", "a") as acl:
        acl.write("\nuser " + users)
    fleet.running["broker"].send_signal(signal.SIGHUP)
    term = fleet.fleet()["term"]
    before = stream(fleet, "south")
    first = fleet.running["foundation"]
    first.send_signal(signal.SIGSTOP)
    # What a pause of thirty seconds would do.
    fleet.server.sql("UPDATE ledger SET lease_until_ns = 0")
    mode(fleet, "south")
    fleet.start("second", fleet.bin / "twind-foundation", "run", "--config", config)
    second = {"TWIND_FLEET_SOCKET": str(fleet.work / "run/second.sock")}

    def ask(*words):
        done = fleet.run("twinctl", "fleet", *words, "-o", "json", check=False, env=second)
        return json.loads(done.stdout)["data"] if done.returncode in (0, 1) else None

    now = within(60, "the second one answers", ask)
    stands(now["term"] > term, f"term {now['term']} after {term}")
    audit = lambda: next(s["next"] for s in ask("sites", "acme.south")["streams"] if s["stream"] == "audit")
    within(60, "the second one takes in what the first one could not", lambda: audit() >= before + 2)
    seen = fleet.log("second").count("equivocation")
    first.send_signal(signal.SIGCONT)
    mode(fleet, "south")
    within(60, "the first one ends", lambda: first.poll() is not None)
    stands(first.returncode == 75, f"it ended with {first.returncode}: {fleet.log('foundation')[-400:]}")
    stands("foundation.lease_lost" in fleet.log("foundation"), fleet.log("foundation")[-400:])
    within(60, "the second one goes on", lambda: audit() >= before + 4)
    within(60, "the site is current", lambda: fleet.sync("south")["state"] == "current")
    stands(fleet.log("second").count("equivocation") == seen, "the two told two stories")
    # Back to the first one, as an operator would: the second is stopped, its lease ends.
    fleet.end("second")
    fleet.running.pop("foundation")
    fleet.server.sql("UPDATE ledger SET lease_until_ns = 0")
    fleet.start_foundation("--workers", "1")
    fleet.current("south")
    stands(fleet.fleet()["term"] > now["term"], "the term did not rise again")
    whole(fleet, "south")


def broker_disk_full(fleet):
    """Row 55: a broker that was told to persist, on a volume that is full, while a site drains: nothing is lost."""
    store = fleet.work / "store"
    store.mkdir()
    fleet.end("broker")
    fleet.end("north-edge")
    end = fill(fleet, "north", 800, 2000)
    fleet.start_broker(
        f"persistence true\npersistence_location {store}/\nautosave_on_changes true\nautosave_interval 1\n", file_bytes=512)
    fleet.start_edge("north")
    within(90, "the backlog comes", lambda: stream(fleet, "north", "features") == end)
    fleet.current("north")
    whole(fleet, "north")
    sizes = [path.stat().st_size for path in store.iterdir()]
    stands(sizes and max(sizes) <= 512, f"the volume was not full: {sizes}")
    fleet.end("broker", signal.SIGKILL)


def broker_refuses(fleet):
    """Row 56: a broker whose own files are broken does not start; sites keep what they have to tell, and tell it then."""
    store = fleet.work / "store"
    store.joinpath("mosquitto.db").write_bytes(b"\0" * 300)
    before = stream(fleet, "north")
    try:
        fleet.start_broker(f"persistence true\npersistence_location {store}/\n")
        raise Failure("the broker started from a broken store")
    except Failure as refusal:
        stands("mosquitto ended" in str(refusal), str(refusal))
    fleet.running.pop("broker")
    mode(fleet, "north", 3)
    within(30, "the site says that it is offline", lambda: fleet.sync("north")["state"] == "offline")
    store.joinpath("mosquitto.db").unlink()
    fleet.start_broker()
    within(90, "what happened meanwhile comes", lambda: stream(fleet, "north") >= before + 6)
    fleet.current("north", "south", seconds=90)
    whole(fleet, "north")


def backlog(fleet):
    """Row 66: eight weeks offline; what happens now comes before what waited, behind five seconds of the line at most."""
    fleet.end("north-edge")
    count, size, rate = (75_000, 4000, 900_000) if LONG else (2500, 4000, 800_000)
    end = fill(fleet, "north", count, size)
    fleet.line.rate = rate
    fleet.start_edge("north")
    within(60, "the drain begins", lambda: 0 < stream(fleet, "north", "features"))
    for round_ in range(2):
        wanted, begun = stream(fleet, "north") + 2, stream(fleet, "north", "features")
        mode(fleet, "north")
        within(60, "fresh entries come", lambda: stream(fleet, "north") >= wanted)
        drained = stream(fleet, "north", "features")
        stands(drained < end, f"round {round_}: the backlog was there before the fresh entries")
        stands((drained - begun) * size < 5 * rate, f"round {round_}: {drained - begun} old entries went first")
    if not LONG:
        # What remains fits what a foundation lets a site send at once; a whole backlog at full speed would be a flood.
        fleet.line.rate = None
    within(900 if LONG else 90, "the backlog comes", lambda: stream(fleet, "north", "features") == end)
    fleet.current("north")
    whole(fleet, "north")


def verified(fleet):
    """What went through all this is still a chain that anyone can verify."""
    # A bundle of 300 MB is more than the console gives in one answer; such a site exports its own.
    for name in ("south",) if LONG else ("north", "south"):
        bundle = fleet.work / f"{name}.twa"
        fleet.run("twinctl", "fleet", "audit", "export", f"acme.{name}", "--file", bundle)
        said = fleet.run("twinctl", "audit", "verify", bundle, "--root", fleet.keys / "1.root")
        stands("as written and signed" in said, said)


def image_runs_twice(fleet):
    """Rows 33 and 57: a copy of a site runs beside it. They throw each other out; the foundation finds that there are two
    stories and takes neither further until somebody has looked; other sites are not concerned.
    """
    south, twin = fleet.sites["south"], fleet.work / "twin"
    fleet.end("south-edge")
    (twin / "run").mkdir(mode=0o750, parents=True)
    shutil.copytree(south / "state", twin / "state")
    shutil.copytree(south / "pack", twin / "pack")
    (twin / "edge.yaml").write_text((south / "edge.yaml").read_text().replace(str(south), str(twin)))
    fleet.sites["twin"] = twin
    said = fleet.log("foundation").count("waits for an operator")
    fleet.line.cut()
    for name in ("south", "twin"):
        fleet.start_edge(name)
        mode(fleet, name)
    fleet.line.mend()

    def found():
        # Which of them it is depends on who has told how much when the other one comes.
        waiting = fleet.log("foundation").count("waits for an operator") > said
        return waiting or fleet.site("south")["state"] == "quarantined"

    within(90, "the foundation finds two stories", found)
    fleet.current("north", seconds=90)
    for name in ("south", "twin"):
        fleet.end(f"{name}-edge")


STEPS = [
    main_flow, foundation_killed, server_killed, workers_scaled, two_foundations, broker_disk_full, broker_refuses, backlog,
    verified, image_runs_twice,
]


def main():
    if not pathlib.Path(MOSQUITTO).exists() or PostgreSQL.tools() is None:
        print("fleet_faults: skipped, mosquitto or PostgreSQL is not here (packages mosquitto, postgresql)")
        return 77
    wanted = sys.argv[1:]
    steps = [step for step in STEPS if not wanted or step is main_flow or step.__name__ in wanted]
    work_folder = pathlib.Path(tempfile.mkdtemp(prefix="twind-faults-"))
    fleet, server = None, None
    try:
        server = PostgreSQL()
        fleet = Fleet(BIN, work_folder, workers=WORKERS, postgresql=server.place)
        fleet.server = server
        fleet.start_broker()
        fleet.start_foundation("--workers", "1")
        for step in steps:
            begun = time.monotonic()
            step(fleet)
            print(f"fleet_faults: {step.__name__}: as expected ({time.monotonic() - begun:.1f} s)", flush=True)
        return 0
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"fleet_faults: {failure}")
        for path in sorted(work_folder.glob("*.log")):
            print(f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}")
        return 1
    finally:
        if fleet:
            fleet.close()
        if server:
            server.close()
        shutil.rmtree(work_folder, ignore_errors=True)


sys.exit(main())
