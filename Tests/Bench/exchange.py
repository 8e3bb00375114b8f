"""What the exchange costs a broker, and what it loses when broker and foundation are killed; beside it plain MQTT."""
import json, pathlib, random, re, shutil, signal, statistics, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Support"))
from fleet_stand import Fleet, within
from stand import BINARIES, Failure, write_pack

SITES = 16
MESSAGES = 4000
ENTRIES = 4000
PER_SECOND = 40
BROKER_KILLS, WORKER_KILLS = 7, 4
# Debian's own lines; what the foundation's configuration says otherwise comes before them.
PERSISTENT = "persistence true\npersistence_location {}/\nqueue_qos0_messages false\n"


def figures(scratch):
    yield from broker_cpu(scratch)
    yield from chaos(scratch)


class Client:
    """A part of twind-bench that says `ready`, goes on when it is told to, and says what came of it."""

    def __init__(self, log, *words):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            [str(BINARIES / "twind-bench"), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True)
        if self.line() != "ready":
            self.fail()

    def line(self):
        return self.process.stdout.readline().strip()

    def fail(self):
        self.process.kill()
        self.process.wait()
        self.log.flush()
        raise Failure(f"twind-bench: {pathlib.Path(self.log.name).read_text(errors='replace').strip()[-400:]}")

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        text = self.line()
        if not text.startswith("{"):
            self.fail()
        return json.loads(text)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()


def enrolled(fleet, names):
    """State directories of sites that have joined, in one folder; their daemons never run."""
    folder = fleet.work / "sites"
    pack = write_pack(fleet.work / "pack", 15020, [("r0", 0)], ("r0", 0, 65535))
    fleet.run("twinctl", "pack", "sign", pack, "--keys", fleet.keys)
    for name in names:
        state, config = folder / name, fleet.work / f"{name}.yaml"
        state.mkdir(parents=True)
        config.write_text(f"pack: {pack}\nstate: {state}\nsocket: {fleet.work}/{name}.sock\n")
        fleet.run("twind", "enrol", fleet.fleet("enrol", "new", f"twind.{name}")["token"], "--config", config)
    return folder


def cpu_seconds(process):
    """Of its one thread, from the scheduler's own nanoseconds."""
    return int(pathlib.Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9


def spent(fleet, client):
    """CPU time of the broker a message, and what the messages were."""
    broker = fleet.running["broker"]
    try:
        before = cpu_seconds(broker)
        client.go()
        said = client.result()
        return (cpu_seconds(broker) - before) / said["messages"], said
    finally:
        client.close()


def broker_cpu(scratch):
    """Sixteen sites, each with one message on the way: twind's, every one with a signed acknowledgement of its own, and
    plain ones of the same size and as many a second to one subscriber. Three rounds of each; of either the cheapest.
    """
    fleet = Fleet(BINARIES, scratch / "cost")
    try:
        fleet.start_broker()
        fleet.start_foundation()
        folder = enrolled(fleet, [f"s{number:02}" for number in range(SITES)])
        log = fleet.work / "clients.log"
        ours = [spent(fleet, Client(log, "exchange", folder, MESSAGES)) for _ in range(3)]
        size = round(statistics.mean(said["bytes"] for _, said in ours))
        rate = round(statistics.mean(said["messages"] / said["seconds"] for _, said in ours))
        fleet.end("foundation")

        def plain(per_second):
            words = ("plain", folder, fleet.state, "w-1", MESSAGES, size, per_second)
            return min(spent(fleet, Client(log, *words))[0] for _ in range(3))

        least, paced = min(cost for cost, _ in ours), plain(rate)
    finally:
        fleet.close()
    yield "sync.broker_cpu_us", 1e6 * least, "us", None, "lower", {"qos1": 1e6 * paced}
    yield "sync.broker_cpu_over_qos1", least / paced, "x", 2, "lower", {}


def chaos(scratch):
    """4,000 entries at 40 a second through a broker that is killed seven times and a foundation that is killed four
    times, both with SIGKILL at random moments; then the same number of plain messages, QoS 1, persistent session.
    """
    ours = ours_in_chaos(scratch / "chaos")
    plain = plain_in_chaos(scratch / "plain")
    yield "sync.chaos_lost_of_4000", ours["lost"], "", 0, "lower", {"qos1": plain}
    yield "sync.chaos_extra_publishes_percent", 100 * ours["repeats"] / ours["needed"], "%", 5, "lower", {}
    yield "sync.chaos_extra_entries_percent", 100 * (ours["entries"] - ENTRIES) / ENTRIES, "%", None, "lower", {}


def kills(seed, seconds):
    """Moments and victims, in the order of time; no two within a second."""
    generator = random.Random(seed)
    names = ["broker"] * BROKER_KILLS + ["worker"] * WORKER_KILLS
    generator.shuffle(names)
    step = seconds / len(names)
    return [(step * (number + generator.uniform(0.1, 0.6)), name) for number, name in enumerate(names)]


def wreck(victims, restart):
    """Kills each at its moment; what was killed comes back after a second and a half."""
    begun = time.monotonic()
    for moment, name in victims:
        time.sleep(max(0, begun + moment - time.monotonic()))
        restart(name)


def ours_in_chaos(work):
    fleet = Fleet(BINARIES, work, workers=2)
    try:
        fleet.start_broker()
        fleet.start_foundation()
        folder = enrolled(fleet, ["s"])

        def restart(name):
            victim = "broker" if name == "broker" else "foundation"
            fleet.end(victim, signal.SIGKILL)
            time.sleep(1.5)
            (fleet.start_broker if victim == "broker" else fleet.start_foundation)()

        client = Client(work / "clients.log", "entries", folder / "s", ENTRIES, PER_SECOND)
        try:
            client.go()
            wreck(kills(62, ENTRIES / PER_SECOND), restart)
            said = client.result()
        finally:
            client.close()

        def stored():
            return next(s for s in fleet.fleet("sites", "twind.s")["streams"] if s["stream"] == "audit")

        within(60, "the foundation answers", lambda: fleet.fleet("sites", "twind.s"))
        audit = stored()
        bundle = work / "s.twa"
        fleet.run("twinctl", "fleet", "audit", "export", "twind.s", "--file", bundle)
        verdict = fleet.run("twinctl", "audit", "verify", bundle, "--root", fleet.keys / "1.root")
        if "as written and signed" not in verdict:
            raise Failure(f"the chain does not hold: {verdict}")
        return {"lost": audit["lost"] + said["next"] - audit["next"], "repeats": said["repeats"],
                "needed": said["batches"] - said["repeats"], "entries": said["entries"]}
    finally:
        fleet.close()


def plain_in_chaos(work):
    """Messages that the broker acknowledged and the subscriber never got; None where mosquitto_sub is missing."""
    subscribe = shutil.which("mosquitto_sub")
    if not subscribe:
        return 0
    fleet = Fleet(BINARIES, work)
    try:
        store, got = work / "store", work / "got"
        store.mkdir()
        fleet.start_broker(PERSISTENT.format(store))
        fleet.start_foundation()
        folder = enrolled(fleet, ["s"])
        # What the foundation would get is none of this: its worker's certificate is the subscriber's.
        fleet.end("foundation")
        tls = fleet.state / "tls"

        def start_subscriber():
            with open(got, "ab") as lines:
                fleet.running["subscriber"] = subprocess.Popen(
                    [subscribe, "-V", "311", "-c", "-i", "w-1.hq", "-q", "1", "-h", "localhost", "-p", str(fleet.port),
                     "--cafile", str(fleet.state / "authority/root.crt"), "--cert", str(tls / "w-1.crt"), "--key",
                     str(tls / "w-1.key"), "-t", "tw/1/up/+/plain"],
                    stdin=subprocess.DEVNULL, stdout=lines, stderr=subprocess.DEVNULL)

        def restart(name):
            fleet.end("broker" if name == "broker" else "subscriber", signal.SIGKILL)
            time.sleep(1.5)
            if name == "broker":
                fleet.start_broker(PERSISTENT.format(store))
            else:
                start_subscriber()

        start_subscriber()
        client = Client(work / "clients.log", "plain-entries", folder / "s", ENTRIES, PER_SECOND)
        try:
            client.go()
            wreck(kills(62, ENTRIES / PER_SECOND), restart)
            published = client.result()["published"]
        finally:
            client.close()
        time.sleep(5)
        fleet.end("subscriber")
        numbers = {int(found) for found in re.findall(rb"^(\d+) x", got.read_bytes(), re.M)}
        return published - len(numbers)
    finally:
        fleet.close()
