#!/usr/bin/env python3
"""Runs the installed unit under a real systemd: start, rights on the socket, crash, hang, stop.

    Tests/System/nspawn.py [--keep-log]

A container boots this machine's own /usr with an empty, volatile rest; what `make install` puts beneath /usr and /etc lies
over it. Inside, twind drives the simulated plant of site-packs/demo, signed with keys made for the run. Needs root and systemd-nspawn, and the binaries of
.build-release or .build; exits with 77 and says so where one of them is missing. TWIND_TEST_BINARIES names other binaries.
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACK = os.path.join(ROOT, "site-packs", "demo")
PLANT = "/usr/bin/twind plant /etc/twind/pack"
# A point of that pack that may be held in auto, and a step that its rate limit allows.
POINT, STEP = "pump-1.speed", 0.01
SKIPPED = 77
NSPAWN = ["systemd-nspawn", "--quiet", "--directory=/", "--volatile=yes", "--private-network", "--register=no", "--keep-unit"]
BOOT_SECONDS, CALL_SECONDS, STEP_SECONDS = 30, 20, 15
WATCHDOG_SECONDS = 5
SOCKET = "/run/twind/status.sock"

# A user for each right: none, reading, writing.
USERS = """u outsider - "no right"
u reader - "reads"
m reader twind
u operator - "writes"
m operator twind
m operator twind-operators
u mosquitto - "broker"
"""

# The sandbox of twind.service with this program in it, to see what it really allows.
PROBE = """
import ctypes, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def errno_of(call):
    ctypes.set_errno(0)
    return ctypes.get_errno() if call() < 0 else 0
def open_error(path, flags):
    try:
        os.close(os.open(path, flags, 0o600))
        return ""
    except OSError as error:
        return error.strerror
def family_error(family):
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
        return ""
    except OSError as error:
        return error.strerror
timex = ctypes.create_string_buffer(1024)
result = {
    "clock_read": errno_of(lambda: libc.adjtimex(timex)),
    "boot_id": open_error("/proc/sys/kernel/random/boot_id", os.O_RDONLY),
    "foreign_process": open_error("/proc/1/status", os.O_RDONLY),
    "etc": open_error("/etc/written", os.O_CREAT | os.O_WRONLY),
    "packet": family_error(socket.AF_PACKET),
    "inet": family_error(socket.AF_INET),
    "groups": len(os.getgroups()),
}
with open("/var/lib/twind/probe.json", "w") as file:
    json.dump(result, file)
"""


class Failure(Exception):
    """What was expected, and what was seen."""


def skip(reason):
    print(f"nspawn: skipped, {reason}")
    sys.exit(SKIPPED)


def binaries():
    """The folder with the newest pair of twind and twinctl."""
    named = os.environ.get("TWIND_TEST_BINARIES")
    folders = [named] if named else [os.path.join(ROOT, p) for p in (".build-release/release", ".build/debug")]
    complete = [f for f in folders if all(os.access(f"{f}/{b}", os.X_OK) for b in ("twind", "twinctl", "twind-foundation"))]
    if not complete:
        skip("there are no binaries: make build")
    return max(complete, key=lambda f: os.path.getmtime(f"{f}/twind"))


def runtime_folders(*programs):
    """Where a debug build finds the Swift runtime: folders of libraries outside the system's own."""
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True).stdout
    paths = re.findall(r"=> (/\S+)", listed)
    return sorted({os.path.dirname(p) for p in paths if not p.startswith(("/usr/", "/lib/", "/lib64/"))})


def local(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(words)} left with {done.returncode}: {done.stdout}{done.stderr}")


def stage(folder, source):
    """Lays out what the container gets beside this machine's /usr."""
    local("make", "-C", ROOT, "install", f"DESTDIR={folder}", f"RELEASE={source}", "PREFIX=/usr", "SYSCONFDIR=/etc")
    units, etc, keys = f"{folder}/usr/lib/systemd/system", f"{folder}/etc/twind", f"{folder}/keys"
    shutil.copytree(PACK, f"{etc}/pack")
    os.makedirs(f"{etc}/broker", exist_ok=True)
    local(f"{source}/twinctl", "keys", "init", keys)
    local(f"{source}/twinctl", "pack", "sign", f"{etc}/pack", "--keys", keys)
    shutil.copy(f"{keys}/keys.pub", f"{etc}/keys.pub")
    shutil.rmtree(keys)
    with open(f"{etc}/edge.yaml") as file:
        configuration = file.read()
    # As shipped, but for the keys, and for a clock that this machine may not have synchronised.
    for shipped, wanted in (("# keys: /etc/twind/keys.pub", "keys: /etc/twind/keys.pub"),
                            ("clock: synchronised", "clock: assumed")):
        if f"\n{shipped}\n" not in configuration:
            raise Failure(f"edge.yaml has no line {shipped!r}")
        configuration = configuration.replace(f"\n{shipped}\n", f"\n{wanted}\n")
    for path, text in {
        f"{etc}/edge.yaml": configuration,
        f"{folder}/usr/lib/sysusers.d/twind-test.conf": USERS,
        f"{folder}/usr/share/twind/probe.py": PROBE,
        f"{units}/plant.service": f"[Service]\nExecStart={PLANT}\nRestart=on-failure\n",
        f"{units}/probe.service": probe_unit(f"{units}/twind.service"),
    }.items():
        with open(path, "w") as file:
            file.write(text)
    # The staging folder is private to root, the container's users read through it.
    for place, folders, files in os.walk(folder):
        for name in folders:
            os.chmod(os.path.join(place, name), 0o755)
        for name in files:
            path = os.path.join(place, name)
            os.chmod(path, 0o755 if os.access(path, os.X_OK) else 0o644)
    os.chmod(folder, 0o755)


def probe_unit(path):
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file]
    dropped = ("Type=", "Exec", "Restart", "WatchdogSec=", "MemoryMax=", "RuntimeDirectory")
    kept = [line for line in lines if not line.startswith(dropped)]
    at = kept.index("[Service]") + 1
    return "\n".join(kept[:at] + ["Type=oneshot", "ExecStart=/usr/bin/python3 /usr/share/twind/probe.py"] + kept[at:]) + "\n"


class Container:
    """A booted container; everything in it ends with it."""

    def __init__(self, folder, binds, log):
        command = [
            *NSPAWN, "--machine=twind-test", "--system-call-filter=adjtimex clock_adjtime",
            f"--overlay-ro=/usr:{folder}/usr:/usr", f"--bind-ro={folder}/etc/twind:/etc/twind",
            *[f"--bind-ro={path}" for path in binds],
            "--boot", "systemd.firstboot=off", "systemd.unit=basic.target", "systemd.show_status=no",
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.leader = None

    def wait_until_up(self):
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"the container left with {self.process.returncode}")
            if self.leader is None:
                self.leader = self.find_leader()
            elif self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                return
            time.sleep(0.2)
        raise Failure(f"the container is not up after {BOOT_SECONDS} s")

    def find_leader(self):
        """The container's PID 1, as this machine counts it: a descendant of systemd-nspawn in a PID namespace of its own."""
        own = os.readlink("/proc/self/ns/pid")
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") != own:
                    with open(f"/proc/{pid}/comm") as file:
                        return pid if file.read().strip() == "systemd" else None
                with open(f"/proc/{pid}/task/{pid}/children") as file:
                    waiting += [int(child) for child in file.read().split()]
            except OSError:
                continue
        return None

    def run(self, *words, check=True):
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--mount", "--pid", "--uts", "--ipc", "--net", "--wd=/", *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CALL_SECONDS,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
        if check and done.returncode:
            raise Failure(f"{' '.join(words)} left with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def show(self, unit, *names):
        lines = self.run("systemctl", "show", unit, *[f"--property={n}" for n in names]).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                # nspawn ends its container with it.
                self.process.kill()
                self.process.wait(5)


def eventually(what, test, seconds=STEP_SECONDS):
    """Waits until `test` holds; what it last gave is told otherwise."""
    deadline = time.monotonic() + seconds
    while True:
        seen = test()
        if seen is True:
            return
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds} s; last seen: {seen}")
        time.sleep(0.2)


def expect(what, seen, wanted):
    if seen != wanted:
        raise Failure(f"{what}: {seen!r}, wanted {wanted!r}")


def call(container, user, *words):
    """One request as a user: curl's exit code and the HTTP status."""
    done = container.run(
        "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "curl", "--silent", "--max-time", "10",
        "--output", "/dev/null", "--write-out", "%{http_code}", "--unix-socket", SOCKET, *words, check=False)
    return done.returncode, done.stdout


def sandbox(container):
    container.run("systemctl", "start", "probe.service")
    seen = json.loads(container.run("cat", "/var/lib/twind/probe.json").stdout)
    # The daemon reads the clock's state, whether the machine was started anew, and who is behind a peer (/proc/PID).
    expect("the sandbox", seen, {
        "clock_read": 0, "boot_id": "", "foreign_process": "", "inet": "",
        "etc": os.strerror(errno.EROFS), "packet": os.strerror(errno.EAFNOSUPPORT),
        # twind and dialout
        "groups": 2})


def start(container):
    container.run("systemctl", "start", "plant.service")
    # With Type=notify the call returns when the daemon has said that it is ready.
    container.run("systemctl", "start", "twind.service")
    seen = container.show("twind", "ActiveState", "SubState", "WatchdogUSec", "User", "NotifyAccess", "StatusText")
    expect("state", (seen["ActiveState"], seen["SubState"]), ("active", "running"))
    expect("watchdog", seen["WatchdogUSec"], "30s")
    expect("user", seen["User"], "twind")
    if not seen["StatusText"]:
        raise Failure("the daemon told systemd no status")


def rights(container):
    listed = container.run("stat", "--format=%n %a %U %G", "/run/twind", SOCKET, "/var/lib/twind").stdout.splitlines()
    expect("modes and owners", listed, [
        "/run/twind 750 twind twind", f"{SOCKET} 660 twind twind", "/var/lib/twind 750 twind twind"])
    read = ["http://twind/v1/status"]
    write = ["-X", "PUT", "-H", "Content-Type: application/json", "-H", "Idempotency-Key: test-1",
             "-d", '{"mode":"auto","reason":"test"}', "http://twind/v1/mode"]
    cannot_connect = 7
    expect("the outsider reads", call(container, "outsider", *read), (cannot_connect, "000"))
    expect("the reader reads", call(container, "reader", *read), (0, "200"))
    expect("the reader writes", call(container, "reader", *write), (0, "403"))
    code, status = call(container, "operator", *write)
    if code or not status.startswith("2"):
        raise Failure(f"the operator writes: curl {code}, HTTP {status}, wanted 2xx")


def twinctl(container, user, *words):
    return container.run(
        "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "twinctl", *words, check=False)


def hold(container):
    asked = twinctl(container, "reader", "status", "-q")
    if asked.returncode > 3:
        raise Failure(f"twinctl status left with {asked.returncode}: {asked.stdout}{asked.stderr}")

    def is_held():
        # Refused as long as the point's inputs are not there yet.
        now = twinctl(container, "reader", "points", "get", POINT, "-o", "json")
        seen = re.search(r'"value" ?: ?([0-9.]+)', now.stdout)
        if not seen:
            return now.stdout + now.stderr
        value = float(seen.group(1))
        value += STEP if value < 0.8 else -STEP
        done = twinctl(container, "operator", "override", "set", POINT, f"{value:.3f}", "--for", "10min", "--reason",
                       "test", "--yes")
        return done.returncode == 0 or done.stdout + done.stderr
    eventually(f"{POINT} is held", is_held, 30)
    # Where the kernel does not enforce MemoryMax, this does.
    seen = container.show("twind", "MainPID", "MemoryMax")
    status = container.run("cat", f"/proc/{seen['MainPID']}/status").stdout
    resident = 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))
    print(f"nspawn: the daemon has {resident / 1e6:.0f} MB resident", flush=True)
    if resident > int(seen["MemoryMax"]):
        raise Failure(f"{resident} bytes resident, MemoryMax is {seen['MemoryMax']}")


def crash(container):
    """What was held goes back to its fallback although the daemon could not say a word."""
    pid = container.show("twind", "MainPID")["MainPID"]
    container.run("kill", "-KILL", pid)
    # How ExecStopPost ended is told until the next start, a few seconds later.
    eventually("ExecStopPost ran well after a kill", lambda: has_reverted(container))
    said = container.run("journalctl", "--no-pager", "-o", "cat", "-u", "twind").stdout
    if not re.search(rf"^{re.escape(POINT)} → \S+: confirmed$", said, re.MULTILINE):
        raise Failure(f"twind revert did not give {POINT} back")
    eventually("a killed daemon is back", lambda: is_back(container, pid, 1))


def has_reverted(container):
    seen = container.show("twind", "ExecStopPost")["ExecStopPost"]
    return ("twind revert" in seen and "code=exited ; status=0" in seen) or seen


def is_back(container, old, restarts):
    seen = container.show("twind", "ActiveState", "SubState", "MainPID", "NRestarts")
    wanted = seen["SubState"] == "running" and seen["MainPID"] != old and int(seen["NRestarts"]) >= restarts
    return wanted or seen


def hang(container):
    drop_in = f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}s\nTimeoutAbortSec=1s\nRestartSec=100ms\n"
    container.run("mkdir", "-p", "/run/systemd/system/twind.service.d")
    container.run("sh", "-c", f"printf '{drop_in}' > /run/systemd/system/twind.service.d/test.conf".replace("\n", "\\n"))
    container.run("systemctl", "daemon-reload")
    container.run("systemctl", "restart", "twind.service")
    pid = container.show("twind", "MainPID")["MainPID"]
    # A daemon that beats is left alone.
    time.sleep(WATCHDOG_SECONDS + 1)
    expect("the daemon that beats", container.show("twind", "MainPID")["MainPID"], pid)
    container.run("kill", "-STOP", pid)
    eventually("a hanging daemon is replaced", lambda: is_back(container, pid, 1))


def stop(container):
    container.run("systemctl", "stop", "twind.service")
    seen = container.show("twind", "ActiveState", "Result", "ExecMainStatus")
    expect("stop", (seen["ActiveState"], seen["Result"]), ("inactive", "success"))
    gone = container.run("test", "-e", "/run/twind", check=False).returncode
    expect("the runtime folder is gone", gone, 1)


def broker(container):
    """Row 50: the broker as the runbook installs it; a new list of revoked certificates has it started again."""
    if not os.access("/usr/sbin/mosquitto", os.X_OK):
        print("nspawn: mosquitto is not here: its unit is left out")
        return
    with open(os.path.join(ROOT, "docs/runbooks/fleet.md")) as file:
        blocks = file.read().split("```")[1::2]
    install = next(block for block in blocks if "/etc/mosquitto/conf.d/twind.conf" in block)
    container.run("bash", "-euc", """
        mount -t tmpfs -o mode=755 tmpfs /etc/twind/broker
        mkdir -p /etc/mosquitto/conf.d /var/lib/mosquitto
        printf 'persistence true\npersistence_location /var/lib/mosquitto/\ninclude_dir /etc/mosquitto/conf.d\n' \
          > /etc/mosquitto/mosquitto.conf
        printf 'name: hq\nfleet: acme\nworkers: 1\n' > /run/foundation.yaml
        twind-foundation init --config /run/foundation.yaml --keys /run/stick --broker-name localhost
    """)
    container.run("bash", "-euc", install)
    since = lambda: int(container.show("mosquitto", "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])
    eventually("the list was taken to the broker", lambda: container.show(
        "twind-broker-crl.service", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"})
    time.sleep(2)
    expect("mosquitto runs", container.show("mosquitto", "ActiveState")["ActiveState"], "active")
    before = since()
    # As the foundation writes it: beside, and renamed.
    container.run("bash", "-euc", "cd /var/lib/twind-foundation/broker; cp crl.pem .new; echo >> .new; mv .new crl.pem")
    eventually("mosquitto was started again", lambda: since() > before)
    container.run("cmp", "/var/lib/twind-foundation/broker/crl.pem", "/etc/twind/broker/crl.pem")
    container.run("systemctl", "stop", "twind-broker-crl.path", "mosquitto")


def main():
    if os.geteuid() != 0:
        skip("it needs root")
    for tool in ("systemd-nspawn", "nsenter", "setpriv", "curl"):
        if not shutil.which(tool):
            skip(f"{tool} is not here")
    # The smallest container: where it does not run, none does.
    probe = subprocess.run([*NSPAWN, "/usr/bin/true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if probe.returncode:
        skip(f"systemd-nspawn cannot run here: {probe.stderr.strip()}")
    source = binaries()
    folder = tempfile.mkdtemp(prefix="twind-nspawn-")
    log_path = os.path.join(folder, "boot.log")
    container = None
    began = time.monotonic()
    try:
        stage(f"{folder}/stage", source)
        os.chmod(folder, 0o755)
        with open(log_path, "wb") as log:
            container = Container(f"{folder}/stage", runtime_folders(f"{source}/twind", f"{source}/twinctl", f"{source}/twind-foundation"), log)
        container.wait_until_up()
        for check in (sandbox, start, rights, hold, crash, hang, stop, broker):
            step = time.monotonic()
            check(container)
            print(f"nspawn: {check.__name__}: as expected ({time.monotonic() - step:.1f} s)", flush=True)
        print(f"nspawn: {source}: all as expected in {time.monotonic() - began:.0f} s")
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"nspawn: {failure}")
        if container and container.leader and container.process.poll() is None:
            journal = container.run("journalctl", "--no-pager", "-n", "60", "-o", "cat", "-u", "twind", "-u", "plant", "-u",
                                    "probe", check=False)
            print(journal.stdout)
        return 1
    finally:
        if container:
            container.close()
        if "--keep-log" in sys.argv and os.path.exists(log_path):
            shutil.copy(log_path, "/tmp/twind-nspawn.log")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
