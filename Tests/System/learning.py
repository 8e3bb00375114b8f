#!/usr/bin/env python3
"""A site that learns on a plant that nobody here wrote, with the real programs: it asks for its first training by itself, the
learner is killed in the middle and comes to the same candidate, the candidate is promoted on its evidence, then
better than "it stays", or by a person; a rollback on command; garbage in the folder is refused and named; replay over all of it. Exit 77: skipped.
"""
import json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Support"))
from fleet_stand import Failure, free_port, within

BIN = pathlib.Path(os.environ.get("TWIND_BIN_DIR") or ROOT / ".build/debug")
# Plant steps of 15 minutes; a day is 96 of them.
PACE, DAYS = 0.02, 13


def stands(condition, what):
    if not condition:
        raise Failure(what)


class Site:
    """A plant, a daemon and a state folder of its own."""

    def __init__(self, work, *plant_options):
        self.work, self.port, self.processes = work, free_port(), {}
        shutil.copytree(ROOT / "site-packs/amphitheatre", work / "pack")
        devices = work / "pack/devices.yaml"
        devices.write_text(devices.read_text().replace("port: 1502", f"port: {self.port}"))
        for folder in ("state", "run"):
            (work / folder).mkdir()
        (work / "run").chmod(0o750)
        (work / "edge.yaml").write_text(
            f"pack: {work}/pack\nstate: {work}/state\nsocket: {work}/run/status.sock\nmode: observe\nclock: assumed\n"
            "log: info\nlearning: {every: 60d, days: 14}\n")
        self.learn = work / "state/learn"
        self.start("plant", str(ROOT / "Tests/Plants/run"), str(self.port), "--pace", str(PACE), "--controller",
                   "always-on", "--from", "1-13", "--to", "3-20", *plant_options)
        within(60, "the plant serves", self.is_serving)
        self.start("edge", str(BIN / "twind"), "edge", "--config", str(work / "edge.yaml"))

    def is_serving(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self, name, *command):
        with open(self.work / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def end(self, name, number=signal.SIGTERM):
        process = self.processes.pop(name, None)
        if process:
            process.send_signal(number)
            process.wait(30)

    def close(self):
        for name in list(self.processes):
            self.end(name)

    def log(self, name):
        return (self.work / f"{name}.log").read_text(errors="replace")

    def ctl(self, *words, check=True):
        environment = {**os.environ, "TWIND_SOCKET": str(self.work / "run/status.sock")}
        done = subprocess.run([str(BIN / "twinctl"), *words], env=environment, capture_output=True, text=True, timeout=60)
        if check and done.returncode >= 64:
            raise Failure(f"twinctl {' '.join(words)}: {done.returncode}: {done.stderr.strip()}")
        return done

    def data(self, *words):
        return json.loads(self.ctl(*words, "-o", "json").stdout)["data"]

    def models(self):
        return self.data("model", "list")["models"]

    def learner(self, *words, timeout=120):
        command = [str(BIN / "twind-learn"), "--state", str(self.work / "state"), "--pack", str(self.work / "pack"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    def names(self, folder, suffix=".candidate"):
        return sorted(p.name for p in (self.learn / folder).iterdir() if p.name.endswith(suffix))


def history(site):
    """The daemon asks by itself when four days are there; with less the learner refuses and says what to do."""
    within(20, "the site answers", lambda: site.ctl("status", check=False).returncode < 64)
    early = site.learner("--once")
    stands(early.returncode == 65 and "too_little_data" in early.stderr, f"an early training: {early.returncode} {early.stderr}")
    within(60, "the daemon asks for the first training", lambda: (site.learn / "request.json").exists())
    within(90, f"{DAYS} days of history", lambda: min(m["learned_steps"] for m in site.models()) >= DAYS * 96)


def killed(site):
    """SIGKILL at any moment: what was saved is gone on with, and the same bits come out as from a run that was not killed."""
    copy = site.work / "copy"
    first = site.models()[0]["id"]
    command = [str(BIN / "twind-learn"), "--state", str(copy), "--pack", str(site.work / "pack"), "--model", first,
               "--days", "5", "--starts", "1", "-o", "json"]
    shutil.copytree(site.work / "state", copy)

    def train(kills):
        shutil.rmtree(copy / "learn/candidates", ignore_errors=True)
        (copy / "learn/candidates").mkdir()
        for wait in kills:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(wait)
            process.kill()
            process.wait()
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        stands(done.returncode == 0, f"training: {done.returncode} {done.stderr}")
        (name,) = [p for p in (copy / "learn/candidates").iterdir()]
        return name.name, name.read_bytes()

    broken = train([0.4, 0.9])
    stands(broken == train([]), "a killed training came to another candidate")
    shutil.rmtree(copy)


def promoted(site):
    """--if-asked obeys the daemon; on its evidence a candidate replaces the template, and forecasts better than "it stays"."""
    done = site.learner("--if-asked", "-o", "json")
    stands(done.returncode == 0, f"training: {done.returncode} {done.stderr}")
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    stands(reports, f"no report in {done.stdout!r}")
    stands(int((site.learn / "answered").read_text()) >= 1, "the request is not marked as obeyed")
    for report in reports:
        longest = max(s["ahead_s"] for s in report["scores"])
        scores = [s for s in report["scores"] if s["ahead_s"] == longest and s["rmse"] and s["rmse_persistence"]]
        ratio = sum((s["rmse"] / s["rmse_persistence"]) ** 2 for s in scores) / len(scores)
        print(f"  {report['model']}: better {report['better']} over {report['blocks']} blocks, {longest / 3600:g} h ahead "
              f"{ratio ** 0.5:.2f} of the error of \"it stays\"")
        stands(not report["better"] or ratio < 1, "a candidate is better than its template, and worse than \"it stays\"")
    within(20, "the folder is empty", lambda: not site.names("candidates"))
    stands(len(site.names("taken")) == len(reports), f"taken: {site.names('taken')}, refused: {site.names('refused')}")
    better = [r["model"] for r in reports if r["better"]]
    if not better:
        # Where the days kept apart decide nothing it runs beside the template, and a person may decide.
        better = [reports[0]["model"]]
        within(20, "the candidate runs beside the template", lambda: site.models()[0].get("challenger"))
        site.ctl("model", "promote", better[0], "--reason", "a test", "--yes")
    within(20, "what is better is at work", lambda: all(m["calibrated"] for m in site.models() if m["id"] in better))
    return better[0]


def rolled_back(site, model):
    before = next(m for m in site.models() if m["id"] == model)
    site.ctl("model", "rollback", model, "--reason", "a test", "--yes")
    within(10, "the one before is at work", lambda: next(m for m in site.models() if m["id"] == model)["version"] < before["version"])


def garbage(site):
    """Nothing of it enters, everything is named; the daemon lives."""
    (taken,) = site.names("taken")[:1]
    bytes_ = bytearray((site.learn / "taken" / taken).read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    bad = {"f" * 64: bytes(bytes_), "e" * 64: b"", "d" * 64: os.urandom(4096), "c" * 64: bytes(6 << 20)}
    for name, content in bad.items():
        (site.learn / "candidates" / f"{name}.candidate").write_bytes(content)
    within(30, "garbage is put away", lambda: not site.names("candidates"))
    stands(len(site.names("refused", ".reason")) >= len(bad), f"reasons: {site.names('refused', '.reason')}")
    stands(site.ctl("status", check=False).returncode < 64, "the daemon does not answer any more")


def replayed(site):
    """The record of all of it, with the admissions in it, comes out again; what was learned survives a restart."""
    versions = [(m["id"], m["version"]) for m in site.models()]
    site.end("edge")
    done = site.ctl("replay", "--state", str(site.work / "state"), "--pack", str(site.work / "pack"), check=False)
    stands(done.returncode == 0, f"replay: {done.returncode}\n{done.stdout}{done.stderr}")
    site.start("edge", str(BIN / "twind"), "edge", "--config", str(site.work / "edge.yaml"))
    within(20, "the daemon is back", lambda: site.ctl("model", "list", check=False).returncode < 64)
    stands([(m["id"], m["version"]) for m in site.models()] == versions, "versions after a restart")


def main():
    if not all(os.access(BIN / name, os.X_OK) for name in ("twind", "twinctl", "twind-learn")):
        print("learning: skipped, nothing is built: make build")
        return 77
    work = pathlib.Path(tempfile.mkdtemp(prefix="twind-learning-"))
    site, began = None, time.monotonic()

    def part(name, body, *arguments):
        start = time.monotonic()
        result = body(*arguments)
        print(f"  {name}: {time.monotonic() - start:.1f} s", flush=True)
        return result

    try:
        site = Site(work)
        part("history", history, site)
        part("killed and resumed", killed, site)
        model = part("promoted", promoted, site)
        # What follows is between people, files and the daemon; the plant may stand.
        site.end("plant")
        part("rolled back", rolled_back, site, model)
        part("garbage", garbage, site)
        part("replayed", replayed, site)
        print(f"learning: passed in {time.monotonic() - began:.0f} s")
        return 0
    except Failure as failure:
        print(f"learning: {failure}", flush=True)
        keep = os.environ.get("TWIND_TEST_KEEP")
        if keep:
            shutil.copytree(work, keep, dirs_exist_ok=True)
        for name in ("edge", "plant"):
            if (work / f"{name}.log").exists():
                print(f"-- the end of {name}.log\n" + "\n".join((work / f"{name}.log").read_text(errors="replace").splitlines()[-8:]))
        return 1
    finally:
        if site:
            site.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
