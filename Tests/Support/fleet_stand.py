"""A small fleet on this machine: a real mosquitto, a foundation, sites with simulated plants. Everything on loopback, in
one folder, and whatever is started here is ended here.
"""
import json, os, pathlib, re, resource, shutil, signal, socket, subprocess, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


class Failure(Exception):
    """What did not happen, and what was seen instead."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def within(seconds, what, condition):
    """Waits until `condition` gives something true; gives it."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.2)
    raise Failure(f"{what}: not within {seconds} s; last seen {last!r}")


class Line:
    """A TCP line between sites and the broker that can be cut, and made slow: `rate` is the bytes a second that one
    direction of a connection carries, None for all that come.
    """

    def __init__(self, target):
        self.port, self.target, self.is_cut, self.pairs, self.carried = free_port(), target, False, [], 0
        self.rate = None
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                self.carried += len(data)
                sink.sendall(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self, first_only=False):
        """Ends what goes through, all or the oldest connection alone, and lets nothing new through."""
        self.is_cut = True
        for pair in self.pairs[:1] if first_only else self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = self.pairs[1:] if first_only else []

    def mend(self):
        self.is_cut = False

    def close(self):
        self.cut()
        self.listener.close()


class Fleet:
    def __init__(self, binaries, work, workers=1, postgresql=None):
        self.bin, self.work = pathlib.Path(binaries), pathlib.Path(work)
        self.port, self.enrol_port = free_port(), free_port()
        self.line = Line(self.port)
        self.socket, self.keys = self.work / "run/fleet.sock", self.work / "keys"
        self.state, self.config = self.work / "foundation", self.work / "foundation.yaml"
        self.running, self.sites = {}, {}
        (self.work / "run").mkdir(mode=0o750, parents=True, exist_ok=True)
        ledger = f"  postgresql: {json.dumps(postgresql)}\n" if postgresql else ""
        self.config.write_text(
            f"name: hq\nfleet: acme\nstate: {self.state}\nsocket: {self.socket}\nworkers: {workers}\nlog: info\n"
            f"broker: {{host: localhost, port: {self.port}, enrolment_port: {self.enrol_port}, sites_port: {self.line.port}}}\n"
            f"ledger:\n  copies: one\n{ledger}")
        self.made = self.run("twind-foundation", "init", "--config", self.config, "--keys", self.keys)

    def run(self, program, *words, check=True, env=None):
        done = subprocess.run(
            [str(self.bin / program), *map(str, words)], capture_output=True, text=True,
            env={**os.environ, "TWIND_FLEET_SOCKET": str(self.socket), **(env or {})}, timeout=120)
        if check and done.returncode:
            raise Failure(f"{program} {' '.join(map(str, words))}: {done.returncode} {done.stderr.strip()} {done.stdout.strip()}")
        return done.stdout if check else done

    def start(self, name, *command, env=None):
        log = open(self.work / f"{name}.log", "ab")
        self.running[name] = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, **(env or {})})
        log.close()
        return self.running[name]

    def end(self, name, signal_number=signal.SIGTERM):
        process = self.running.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name):
        path = self.work / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start_broker(self, more="", file_bytes=None):
        """With lines behind the foundation's own; where no file may grow beyond so many bytes, as on a full volume."""
        # As root mosquitto would become another user, who may not read the keys.
        conf = self.work / "mosquitto.conf"
        text = (self.state / "broker/mosquitto.conf").read_text()
        conf.write_text(("user root\n" if os.geteuid() == 0 else "") + text + more)
        if file_bytes is None:
            self.start("broker", MOSQUITTO, "-c", conf)
        else:
            # Refused writes, not a signal: Python leaves SIGXFSZ ignored, and so it stays for the broker.
            self.running["broker"] = subprocess.Popen(
                [MOSQUITTO, "-c", str(conf)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, restore_signals=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes)))

        def listens():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                if self.running["broker"].poll() is not None:
                    raise Failure("mosquitto ended: " + self.log("broker")[-600:])

        within(10, "the broker listens", listens)

    def start_foundation(self, *words):
        self.start("foundation", self.bin / "twind", "foundation", "run", "--config", self.config, *words)

        def answers():
            if self.running["foundation"].poll() is not None:
                raise Failure("the foundation ended: " + self.log("foundation")[-800:])
            return self.run("twinctl", "fleet", "-o", "json", check=False).returncode in (0, 1)

        within(60, "the foundation answers", answers)

    def fleet(self, *words):
        done = self.run("twinctl", "fleet", *words, "-o", "json", check=False)
        try:
            return json.loads(done.stdout)["data"]
        except (ValueError, KeyError):
            raise Failure(f"twinctl fleet {' '.join(map(str, words))}: {done.returncode} {done.stdout} {done.stderr}")

    def add_site(self, name, pack=ROOT / "site-packs/demo"):
        """A signed pack for `acme.NAME`, its plant and its daemon's configuration; nothing is started yet."""
        home = self.work / name
        shutil.copytree(pack, home / "pack")
        plant_port = free_port()
        for path in home.glob("pack/**/*.yaml"):
            text = re.sub(r"\bdemo\b", name, path.read_text().replace("15020", str(plant_port)))
            path.write_text(text.replace("tenant: example", "tenant: acme"))
        (home / "state").mkdir()
        (home / "run").mkdir(mode=0o750)
        self.run("twinctl", "pack", "sign", home / "pack", "--keys", self.keys)
        (home / "edge.yaml").write_text(
            f"pack: {home}/pack\nstate: {home}/state\nsocket: {home}/run/status.sock\nkeys: {self.keys}/keys.pub\n"
            "mode: auto\nclock: assumed\nlog: info\nfoundation: {reconnect_within: 3s}\n")
        self.sites[name] = home
        return home

    def start_plant(self, name):
        home = self.sites[name]
        self.start(f"{name}-plant", self.bin / "twind", "plant", home / "pack", "--speed", "60", "--seed", "7")
        within(15, "the plant serves", lambda: "serving" in self.log(f"{name}-plant"))

    def token(self, name):
        return self.fleet("enrol", "new", f"acme.{name}")["token"]

    def enrol(self, name):
        return self.run("twind", "enrol", self.token(name), "--config", self.sites[name] / "edge.yaml")

    def start_edge(self, name):
        self.start(f"{name}-edge", self.bin / "twind", "edge", "--config", self.sites[name] / "edge.yaml")

        def answers():
            if self.running[f"{name}-edge"].poll() is not None:
                raise Failure(f"{name} ended: " + self.log(f"{name}-edge")[-800:])
            return self.ctl(name, "status", check=False).returncode < 64

        within(30, f"{name} answers", answers)

    def ctl(self, name, *words, check=True):
        return self.run(
            "twinctl", *words, check=check, env={"TWIND_SOCKET": str(self.sites[name] / "run/status.sock")})

    def site(self, name):
        return self.fleet("sites", f"acme.{name}")

    def sync(self, name):
        return json.loads(self.ctl(name, "sync", "-o", "json", "--exit-zero"))["data"]

    def current(self, *names, seconds=60):
        """Waits until the foundation has everything of the sites."""
        for name in names:
            within(seconds, f"acme.{name} is current", lambda: self.sync(name)["state"] == "current"
                   and self.site(name)["state"] == "current")

    def close(self):
        for name in list(self.running)[::-1]:
            self.end(name)
        self.line.close()


def run_steps(name, programs, steps):
    """A broker, a foundation and the steps in their order; what failed is told with the ends of the logs. An exit code."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="twind-fleet-"))
    fleet = None
    try:
        fleet = Fleet(programs, work)
        fleet.start_broker()
        fleet.start_foundation()
        for step in steps:
            begun = time.monotonic()
            step(fleet)
            print(f"{name}: {step.__name__}: as expected ({time.monotonic() - begun:.1f} s)", flush=True)
        return 0
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"{name}: {failure}")
        for path in sorted(work.glob("*.log")):
            print(f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}")
        return 1
    finally:
        if fleet:
            fleet.close()
        shutil.rmtree(work, ignore_errors=True)
