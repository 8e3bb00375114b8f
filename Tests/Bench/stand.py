"""What the measurements stand on: packs made for them, a slave that counts, the daemon and a client of its socket.

Everything listens on 127.0.0.1 or on a unix socket in a folder of its own, and whatever is started here is ended here.
"""
import http.client, json, os, pathlib, signal, socket, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("TWIND_BIN_DIR") or ROOT / ".build-release/release")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """There is no number, and why."""


def write_pack(folder, port, points, envelope=None):
    """A pack of one device; `points` are (name, address) of 16-bit holding registers, `envelope` (point, low, high)."""
    folder = pathlib.Path(folder)
    (folder / "profiles").mkdir(parents=True)
    lines = ["profile: bench", "source: made for a measurement", "points:"]
    for name, address in points:
        rest = ", access: rw, write: {function: 6, readback: 2s}" if envelope and envelope[0] == name else ""
        lines.append(f'  {name}: {{wire: {{table: holding, address: {address}}}, type: uint16, unit: "1"{rest}}}')
    (folder / "profiles/bench.yaml").write_text("\n".join(lines) + "\n")
    (folder / "site.yaml").write_text(
        "pack: 1\nversion: 1\nsite: {id: bench, tenant: twind, name: Measurement, tz: UTC}\n")
    (folder / "devices.yaml").write_text(
        f"devices:\n  slave: {{profile: bench, modbus_tcp: {{host: 127.0.0.1, port: {port}, unit: 1}}}}\n")
    if envelope:
        point, low, high = envelope
        (folder / "envelopes.yaml").write_text(
            f"envelopes:\n  wide:\n    point: slave.{point}\n    hard: {{min: {low}, max: {high}, rate: 100000000 /s}}\n"
            f"    fallback: {{value: {low}}}\n    owner: bench\n    reason: Nothing is behind this register\n")
    return folder


def run(*command):
    """A command to its end; what it says counts only when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{command[0]} {command[1]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def sign(pack, keys):
    if not keys.exists():
        run(BINARIES / "twinctl", "keys", "init", keys)
    run(BINARIES / "twinctl", "pack", "sign", pack, "--keys", keys)


class Child:
    """A process, and what it uses."""

    def __init__(self, command, log, **options):
        self.log = open(log, "ab")
        options = {"stdin": subprocess.DEVNULL, "stdout": self.log, **options}
        self.process = subprocess.Popen([str(part) for part in command], stderr=self.log, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def check(self):
        if self.process.poll() is not None:
            text = pathlib.Path(self.log.name).read_text(errors="replace").strip()
            raise Failure(f"{self.process.args[0]} ended with {self.process.returncode}: {text[-600:]}")

    @property
    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def memory(self, key):
        """VmRSS or RssAnon, in MB of 2^20 bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
        raise Failure(f"no {key} of process {self.process.pid}")


class Slave(Child):
    """The test suite's Modbus device, whose own counters say what it was asked."""

    def __init__(self, folder, registers, *faults):
        command = [sys.executable, ROOT / "Tests/Peers/fault_server.py", "--registers", registers]
        for fault in faults:
            command += ["--fault", fault]
        super().__init__(
            command, folder / "slave.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def stats(self):
        self.process.stdin.write("stats\n")
        return json.loads(self.process.stdout.readline())

    def rest(self):
        """Waits for a pause between two cycles, so that a window holds whole ones; gives the counters then."""
        deadline, last, since = time.monotonic() + 10, None, time.monotonic()
        while time.monotonic() < deadline:
            stats = self.stats()
            if stats["requests"] != last:
                last, since = stats["requests"], time.monotonic()
            elif time.monotonic() - since > 0.2:
                return stats
            time.sleep(0.02)
        return self.stats()

    def window(self, child, seconds):
        """What a process cost, and what it asked, for each cycle of a second."""
        before, cpu, begun = self.rest(), child.cpu_seconds, time.monotonic()
        time.sleep(seconds)
        after, spent = self.rest(), time.monotonic() - begun
        child.check()
        cycles = max(1, round(spent))
        return {
            "cpu_percent": 100 * (child.cpu_seconds - cpu) / spent,
            "rss_mb": child.memory("VmRSS"), "rss_anon_mb": child.memory("RssAnon"),
            "requests_per_cycle": (after["requests"] - before["requests"]) / cycles,
            "reconnects_per_cycle": (after["connections"] - before["connections"]) / cycles,
        }

    def stop(self):
        self.process.stdin.close()  # its end of file
        self.process.stdout.close()
        super().stop()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("twind", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        """The document's data; an answer other than 200 is a failure."""
        data = None if body is None else json.dumps(body)
        self.request(method, path, body=data, headers={"Content-Type": "application/json"} if data else {})
        answer = self.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failure(f"{method} {path}: {answer.status} {text[:400].decode(errors='replace')}")
        return json.loads(text)["data"]


class Daemon(Child):
    """`twind edge` on a pack; ready when its socket listens."""

    def __init__(self, folder, pack, state, mode="observe", keys=None):
        folder.mkdir(exist_ok=True)
        state.mkdir(exist_ok=True)
        self.socket = folder / "status.sock"
        settings = {"pack": pack, "state": state, "socket": self.socket, "mode": mode, "log": "warning", "clock": "assumed"}
        if keys:
            settings["keys"] = keys / "keys.pub"
        (folder / "edge.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        notified = folder / "notify.sock"
        notified.unlink(missing_ok=True)
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(notified))
        self.notices.settimeout(30)
        self.begun = time.monotonic()
        super().__init__(
            [BINARIES / "twind", "edge", "--config", folder / "edge.yaml"], folder / "twind.log",
            env={**os.environ, "NOTIFY_SOCKET": str(notified)})
        try:
            while b"READY=1" not in self.notices.recv(4096):
                pass
        except TimeoutError:
            self.stop()
            raise Failure(f"twind edge was not ready in 30 s: {(folder / 'twind.log').read_text()[-600:]}") from None

    def client(self):
        return UnixConnection(self.socket)

    def stop(self):
        super().stop()
        self.notices.close()
