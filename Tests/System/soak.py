#!/usr/bin/env python3
"""A daemon that runs for long keeps its size: memory, descriptors and threads stand still, and nothing is dropped.

Runs only in the long tier (TWIND_TEST_LONG=1), for TWIND_SOAK_S seconds, 600 by default. Exit 77: skipped.
"""
import os, shutil, signal, socket, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("TWIND_BIN_DIR") or next(
    (d for d in (ROOT + "/.build-release/release", ROOT + "/.build/debug") if os.path.exists(d + "/twind")), None)
SECONDS = int(os.environ.get("TWIND_SOAK_S", "600"))
WARM_UP_S = 60
GROWTH_MAX_KB = 3 * 1024  # SQLite's page cache fills to 2 MB; whatever comes beyond is a leak


def figures(pid):
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    return {"rss_kb": int(status["VmRSS"].split()[0]), "anonymous_kb": int(status["RssAnon"].split()[0]),
            "threads": int(status["Threads"]), "files": len(os.listdir(f"/proc/{pid}/fd"))}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    if not os.environ.get("TWIND_TEST_LONG"):
        print("soak: skipped, TWIND_TEST_LONG=1 runs it")
        return 77
    if BIN is None:
        print("soak: no twind is built")
        return 1
    work = tempfile.mkdtemp(prefix="twind-soak-")
    running = []
    try:
        shutil.copytree(ROOT + "/site-packs/demo", work + "/pack")
        port = str(free_port())
        for name in os.listdir(work + "/pack"):
            path = f"{work}/pack/{name}"
            if os.path.isfile(path):
                text = open(path).read()
                open(path, "w").write(text.replace("15020", port))
        os.makedirs(work + "/state"); os.makedirs(work + "/run", mode=0o750)
        ctl = lambda *words: subprocess.run([BIN + "/twinctl", *words], env={**os.environ, "TWIND_SOCKET": work + "/run/s.sock"},
                                            capture_output=True, text=True)
        for words in (("keys", "init", work + "/keys"), ("pack", "sign", work + "/pack", "--keys", work + "/keys")):
            done = ctl(*words)
            if done.returncode != 0:
                print("soak:", done.stderr); return 1
        open(work + "/edge.yaml", "w").write(
            f"pack: {work}/pack\nstate: {work}/state\nsocket: {work}/run/s.sock\nkeys: {work}/keys/keys.pub\n"
            "mode: auto\nclock: assumed\nlog: warning\n")
        running.append(subprocess.Popen([BIN + "/twind", "plant", work + "/pack", "--speed", "60"], stdout=subprocess.DEVNULL))
        time.sleep(1)
        running.append(subprocess.Popen([BIN + "/twind", "edge", "--config", work + "/edge.yaml"]))
        edge = running[-1]
        time.sleep(WARM_UP_S)
        first = figures(edge.pid)
        print("soak: after", WARM_UP_S, "s", first, flush=True)
        end = time.monotonic() + max(0, SECONDS - WARM_UP_S)
        while time.monotonic() < end:
            time.sleep(min(30, max(0, end - time.monotonic())))
            ctl("status"); ctl("points")
            if edge.poll() is not None:
                print("soak: the daemon ended with", edge.returncode); return 1
        last = figures(edge.pid)
        print("soak: after", SECONDS, "s", last)
        metrics = ctl("metrics").stdout
        dropped = [line for line in metrics.splitlines() if line.startswith("twind_journal_dropped_total")]
        replay = ctl("replay", "--state", work + "/state", "--pack", work + "/pack")
        print("soak:", replay.stdout.strip().replace("\n", "; "))
        good = (last["anonymous_kb"] - first["anonymous_kb"] <= GROWTH_MAX_KB and last["files"] <= first["files"] + 2
                and last["threads"] <= first["threads"] + 2 and dropped == ["twind_journal_dropped_total 0.0"]
                and replay.returncode == 0)
        edge.send_signal(signal.SIGTERM)
        good = edge.wait(30) == 0 and good
        print("soak:", "nothing grew, nothing was dropped" if good else "FAILED")
        return 0 if good else 1
    finally:
        for process in reversed(running):
            if process.poll() is None:
                process.kill(); process.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
