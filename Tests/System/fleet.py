#!/usr/bin/env python3
"""Two sites and a foundation behind a real mosquitto, through what happens to fleets: enrolment over the network and by
file, a line that is cut, a broker that is killed and comes back empty, a foundation that is killed, a forged batch, a
published envelope, a bundle with one flipped bit. Exit 77: skipped.
"""
import json, os, pathlib, shutil, signal, subprocess, sys, time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Support"))
from fleet_stand import MOSQUITTO, Failure, run_steps, within

BIN = pathlib.Path(os.environ.get("TWIND_BIN_DIR") or ROOT / ".build/debug")


def stands(condition, what):
    if not condition:
        raise Failure(what)


def enrolment(fleet):
    fleet.add_site("north")
    fleet.start_plant("north")
    fleet.enrol("north")
    fleet.start_edge("north")
    fleet.current("north")
    within(20, "the site has heard its fleet's whole word", lambda: fleet.sync("north")["ladder"] == "fresh")
    within(20, "twinctl sync says so", lambda: "current" in fleet.ctl("north", "sync", "--exit-zero"))


def enrolment_by_file(fleet):
    fleet.add_site("south")
    fleet.start_plant("south")
    home, token = fleet.sites["south"], fleet.token("south")
    ask, reply = home / "ask.twe", home / "reply.twe"
    fleet.run("twind", "enrol", token, "--config", home / "edge.yaml", "--request", ask)
    fleet.run("twinctl", "fleet", "enrol", "answer", ask, "--out", reply)
    fleet.run("twind", "enrol", token, "--config", home / "edge.yaml", "--reply", reply)
    fleet.start_edge("south")
    fleet.current("south")


def spent_token(fleet):
    """Row 49: a token is good once, and for its own site."""
    home = fleet.work / "thief"
    home.mkdir()
    shutil.copytree(fleet.sites["north"] / "pack", home / "pack")
    (home / "state").mkdir()
    (home / "edge.yaml").write_text(f"pack: {home}/pack\nstate: {home}/state\nsocket: {home}/s.sock\nclock: assumed\n")
    token = fleet.token("east")
    fleet.run("twind", "enrol", token, "--config", home / "edge.yaml")
    shutil.rmtree(home / "state")
    (home / "state").mkdir()
    again = subprocess.Popen(
        [str(BIN / "twind"), "enrol", token, "--config", str(home / "edge.yaml")], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    within(20, "the second use is refused", lambda: "enrolment refused" in fleet.log("foundation"))
    again.kill()
    again.wait()
    states = {e["site"]: e["state"] for e in fleet.fleet("enrol", "list")["enrolments"]}
    stands(states["acme.east"] == "used", f"tokens: {states}")


def broker_killed(fleet):
    """Rows 54 and 55: the broker keeps nothing, is killed in the middle, comes back empty, and nothing is lost."""
    before = fleet.site("north")
    for _ in range(3):
        fleet.end("broker", signal.SIGKILL)
        time.sleep(1.5)
        fleet.start_broker()
        time.sleep(2)
    mode(fleet, "north", "observe")
    mode(fleet, "north", "auto")
    within(120, "what happened in the outage comes", lambda: audit(fleet.site("north")) >= audit(before) + 2)
    fleet.current("north", "south", seconds=120)
    after = fleet.site("north")
    stands(all(s["lost"] == 0 for s in after["streams"]), f"lost: {after['streams']}")


def line_cut(fleet):
    """Rows 7 and 66: one site without a line goes on by itself, and what it had to tell comes when the line is back."""
    before = audit(fleet.site("north"))
    fleet.line.cut(first_only=True)
    mode(fleet, "north", "observe")
    mode(fleet, "north", "auto")
    within(20, "the site says that it is offline", lambda: fleet.sync("north")["state"] == "offline")
    fleet.line.mend()
    within(60, "what it had to tell comes", lambda: audit(fleet.site("north")) >= before + 2)
    fleet.current("north", "south")


def foundation_killed(fleet):
    """Row 62: a worker dies between commit and ack."""
    before = audit(fleet.site("south"))
    fleet.end("foundation", signal.SIGKILL)
    mode(fleet, "south", "observe")
    mode(fleet, "south", "auto")
    fleet.start_foundation()
    within(120, "what happened meanwhile comes", lambda: audit(fleet.site("south")) >= before + 2)
    fleet.current("north", "south", seconds=120)


def forged(fleet):
    """Rows 8, 14 and 22: a site with a valid certificate speaks in another one's name, and under its own with rubbish."""
    publish = shutil.which("mosquitto_pub")
    if not publish:
        print("fleet: mosquitto_pub is not here (package mosquitto-clients): the forged batch is left out")
        return
    home = fleet.sites["south"] / "state/peer"
    rubbish = fleet.work / "rubbish"
    rubbish.write_bytes(os.urandom(400))

    def send(topic):
        # The daemon of the same name would be pushed out for a moment, as a real thief would do.
        return subprocess.run(
            [publish, "-V", "5", "-h", "localhost", "-p", str(fleet.port), "--cafile", str(home / "authority.crt"), "--cert",
             str(home / "site.crt"), "--key", str(home / "site.key"), "-q", "1", "-t", topic, "-f", str(rubbish), "-d"],
            capture_output=True, text=True, timeout=30)

    before = fleet.site("north")
    send("tw/1/up/acme.north/log/audit")
    send("tw/1/up/acme.south/log/audit")
    within(20, "the rubbish is refused", lambda: "forged" in fleet.log("foundation"))
    after = fleet.site("north")
    stands(after["refused"] == before["refused"], "a publish under another site's topic reached the foundation")


def next_pack(fleet, name):
    """The site's pack under the next version, not signed, and that version."""
    version = installed(fleet, name)
    home = fleet.work / f"{name}-{version + 1}"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(fleet.sites[name] / "pack", home)
    site = home / "site.yaml"
    lines = [f"version: {version + 1}" if line.startswith("version:") else line for line in site.read_text().split("\n")]
    site.write_text("\n".join(lines))
    return home, version + 1


def publish(fleet, name):
    home, version = next_pack(fleet, name)
    fleet.run("twinctl", "pack", "sign", home, "--keys", fleet.keys)
    fleet.run("twinctl", "fleet", "publish", home, "--keys", fleet.keys, "--reason", "test", "--yes")
    return version


def envelope_published(fleet):
    home, version = next_pack(fleet, "north")
    unsigned = fleet.run(
        "twinctl", "fleet", "publish", home, "--keys", fleet.keys, "--reason", "test", "--yes", check=False)
    stands(unsigned.returncode == 65, f"an unsigned pack was published: {unsigned.stdout}{unsigned.stderr}")
    fleet.run("twinctl", "pack", "sign", home, "--keys", fleet.keys)
    fleet.run("twinctl", "fleet", "publish", home, "--keys", fleet.keys, "--reason", "tighter envelope", "--yes")
    within(90, "the site takes the pack up", lambda: fleet.site("north").get("pack_version") == version)
    within(30, "the daemon runs it", lambda: installed(fleet, "north") == version)
    fleet.current("north", seconds=120)


def keys_rotated(fleet):
    fleet.current("south")
    old = {key["id"] for key in fleet.fleet("keys", "acme.south")["keys"]}
    # The order waits for a site that is away, in a foundation that is started anew meanwhile.
    fleet.end("south-edge")
    fleet.fleet("keys", "rotate", "acme.south", "--reason", "test", "--yes")
    fleet.end("foundation", signal.SIGKILL)
    fleet.start_foundation()
    fleet.start_edge("south")
    within(30, "the foundation knows the new key", lambda: len(fleet.fleet("keys", "acme.south")["keys"]) == 2)
    within(30, "the site uses it", lambda: "new keys are in use" in fleet.log("south-edge"))
    before = audit(fleet.site("south"))
    mode(fleet, "south", "observe")
    mode(fleet, "south", "auto")
    within(60, "entries under the new key are taken", lambda: audit(fleet.site("south")) >= before + 2)
    states = {key["state"] for key in fleet.fleet("keys", "acme.south")["keys"] if key["id"] in old}
    stands(states == {"retired"}, f"the old key is {states}")
    # The new key is in use after a start, too.
    fleet.end("south-edge")
    fleet.start_edge("south")
    fleet.current("south")


def flipped_bit(fleet):
    bundle = fleet.work / "north.twa"
    fleet.run("twinctl", "fleet", "audit", "export", "acme.north", "--file", bundle)
    root = fleet.keys / "1.root"
    good = fleet.run("twinctl", "audit", "verify", bundle, "--root", root)
    stands("as written and signed" in good, good)
    bytes_ = bytearray(bundle.read_bytes())
    bytes_[len(bytes_) // 2] ^= 4
    bent = fleet.work / "bent.twa"
    bent.write_bytes(bytes_)
    bad = fleet.run("twinctl", "audit", "verify", bent, "--root", root, check=False)
    stands(bad.returncode == 65 and "byte" in bad.stdout, f"{bad.returncode} {bad.stdout} {bad.stderr}")


def heads_signed(fleet):
    """Row 35: what the foundation gives out is signed by the site and cosigned; a cut tail shows against it."""
    bundle = fleet.work / "signed.twa"

    def covered():
        fleet.run("twinctl", "fleet", "audit", "export", "acme.north", "--file", bundle)
        check = json.loads(fleet.run("twinctl", "audit", "verify", bundle, "--root", fleet.keys / "1.root", "-o", "json"))
        audits = [s for s in check["data"]["streams"] if s["stream"] == "audit"]
        return audits and all(s["signed"] == s["cosigned"] > 0 for s in audits)

    within(150, "the audit stream is signed and cosigned", covered)
    within(90, "the foundation's own log has the site's head", lambda: {"enrolment", "siteCheckpoint", "metadata"} <= {
        entry["kind"] for entry in fleet.fleet("audit", "--limit", "1000")["entries"]})


def log_went_back(fleet):
    """Rows 21 and 45: a foundation that was restored from a backup is not followed until its root keys say so."""
    backup = fleet.work / "backup"
    fleet.end("foundation")
    shutil.copytree(fleet.state, backup)
    fleet.start_foundation()
    fleet.current("north", "south", seconds=120)
    for name in ("lost-1", "lost-2", "lost-3", "lost-4", "lost-5", "lost-6"):
        fleet.token(name)
    version = publish(fleet, "north")
    within(120, "the pack is taken up", lambda: installed(fleet, "north") == version)
    fleet.end("foundation")
    shutil.rmtree(fleet.state)
    shutil.copytree(backup, fleet.state)
    # Versions of online metadata count seconds; a restore takes more than one.
    time.sleep(2)
    fleet.start_foundation()
    publish(fleet, "north")
    within(60, "the site freezes its intake", lambda: frozen(fleet, "north"))
    # Births tell the foundation what was seen, and bring it what the backup lacks.
    for name in ("north", "south"):
        fleet.end(f"{name}-edge")
        fleet.start_edge(name)
    fleet.current("north", "south", seconds=120)
    within(60, "the foundation hears what it does not have", lambda: any(
        p["code"] == "fleet.log_split" for p in fleet.fleet()["problems"]))
    stands(frozen(fleet, "north"), "the freeze did not outlive a start")
    place = fleet.run("twinctl", "fleet", "log").split()[-1]
    fleet.run("twinctl", "keys", "root", fleet.keys, "--log-restart", place)
    shutil.copy(fleet.keys / "2.root", fleet.state / "keys/2.root")
    fleet.end("foundation")
    fleet.start_foundation()
    within(60, "the site follows the restarted log", lambda: thawed(fleet, "north"))
    version = publish(fleet, "north")
    within(120, "it takes packs up again", lambda: installed(fleet, "north") == version)
    fleet.current("north", "south", seconds=120)


def witnessed(fleet):
    """A root that demands a witness: without its signature nothing new is published, with it all goes on."""
    home = fleet.work / "witness"
    key = fleet.run("twinctl", "audit", "witness", home, "--name", "university").split()[0]
    fleet.run("twinctl", "keys", "root", fleet.keys, "--witness", key, "--witnesses", "1")
    shutil.copy(fleet.keys / "3.root", fleet.state / "keys/3.root")
    fleet.end("foundation")
    fleet.start_foundation()
    root = fleet.keys / "3.root"
    seen = fleet.run("twinctl", "audit", "witness", home, "--root", root)
    stands("by 1 witnesses, 1 needed" in seen, seen)
    early = fleet.work / "early.json"
    early.write_text(fleet.run("twinctl", "fleet", "log", "-o", "json"))
    version = publish(fleet, "north")
    within(120, "what is witnessed is taken up", lambda: installed(fleet, "north") == version)
    fleet.run("twinctl", "audit", "witness", home, "--root", root)
    # The log as it was before: the witness has signed more, and remembers.
    gone = fleet.run("twinctl", "audit", "witness", home, "--root", root, "--log", early, check=False)
    stands(gone.returncode == 65 and "went back" in gone.stderr, f"{gone.returncode} {gone.stdout} {gone.stderr}")


def quiet(fleet):
    fleet.current("north", "south")
    # The site of the spent token never spoke.
    done = fleet.run("twinctl", "fleet", "sync", check=False)
    stands("north" not in done.stdout and "south" not in done.stdout, done.stdout)


def audit(site):
    return next((s["next"] for s in site["streams"] if s["stream"] == "audit"), 0)


def mode(fleet, name, mode_):
    fleet.ctl(name, "mode", "set", mode_, "--reason", "test", "--yes")


def status(fleet, name):
    """Nothing while the daemon opens itself anew."""
    done = fleet.ctl(name, "status", "-o", "json", "--exit-zero", check=False)
    return json.loads(done.stdout)["data"] if done.returncode == 0 else None


def frozen(fleet, name):
    seen = status(fleet, name)
    return seen and any(p["code"] == "sync.frozen" for p in seen["problems"])


def thawed(fleet, name):
    seen = status(fleet, name)
    return seen and not any(p["code"] == "sync.frozen" for p in seen["problems"])


def installed(fleet, name):
    seen = status(fleet, name)
    return seen and seen["pack"]["version"]


STEPS = [
    enrolment, enrolment_by_file, spent_token, line_cut, broker_killed, foundation_killed, forged, envelope_published, keys_rotated,
    flipped_bit, heads_signed, log_went_back, witnessed, quiet,
]


def main():
    if not pathlib.Path(MOSQUITTO).exists():
        print("fleet: skipped, mosquitto is not here (package mosquitto)")
        return 77
    return run_steps("fleet", BIN, STEPS)


sys.exit(main())
