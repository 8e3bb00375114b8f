"""Other collectors and stores at the same work, where they are installed; `make bench PEERS=1` installs collectd (apt),
modpoll and TsFile (PyPI). What the stores do stands in store_peers.py.

What was measured earlier, on a machine of the same kind with the same registers, stands in EARLIER.
"""
import os, pathlib, shutil, subprocess, sys, time

from stand import ROOT, Child, Slave

VENV = ROOT / ".build-release/peers"
MODPOLL = "modpoll==1.6.0"
TSFILE = "tsfile==2.5.0"
COLLECTD = "/usr/sbin/collectd"

EARLIER = {
    "collect.cpu_percent": {"fledge": 2.6, "collectd": 8.7, "modpoll": 5.9},
    "collect.rss_mb": {"fledge": 76, "collectd": 8.4, "modpoll": 36},
    "collect.requests_per_cycle": {"fledge": 1010, "collectd": 1000, "modpoll": 10},
    "holes.good_of_90": {"fledge": 0, "collectd": 90, "modpoll": 0},
    "holes.requests_per_cycle": {"fledge": 63, "collectd": 100, "modpoll": 1},
    "holes.reconnects_per_cycle": {"fledge": 15, "collectd": 10, "modpoll": 1},
    "store.bytes_per_sample.a": {
        "tsfile": 0.454, "victoria": 1.05, "duckdb": 3.25, "influxdb": 4.77, "prometheus": 5.27, "sqlite": 25.4},
    "store.bytes_per_sample.b": {"victoria": 1.118, "tsfile": 1.30},
    "store.bytes_per_sample.c": {"victoria": 0.454, "tsfile": 0.72, "duckdb": 1.19, "influxdb": 3.18, "sqlite": 20.8},
    "store.measurement_bytes": {"sqlite": 31},
    "store.ingest_per_cpu_s.fsync_1s": {
        "sqlite": 58_000, "duckdb": 265_000, "influxdb": 230_000, "prometheus": 345_000, "victoria": 671_000},
    "store.device_bytes_per_sample.fsync_1s": {
        "prometheus": 8.4, "victoria": 17.0, "influxdb": 17.8, "duckdb": 31, "sqlite": 7713},
    "store.commit_p99_ms": {"prometheus": 34, "victoria": 32, "duckdb": 62, "influxdb": 90, "sqlite": 160},
    "store.asof_1h_p50_ms": {"sqlite": 8.5, "duckdb": 68},
    "store.range_1h_p50_ms": {"sqlite": 1.34, "victoria": 2.6, "duckdb": 4.8, "prometheus": 14.6, "influxdb": 17.8},
    "store.avg_1min_10x2h_p50_ms": {"victoria": 3.0, "duckdb": 5.0, "prometheus": 22, "influxdb": 25, "sqlite": 115},
    "store.latest_1000_p50_ms": {"sqlite": 5.8, "prometheus": 100, "influxdb": 107, "victoria": 133, "duckdb": 722},
    "store.memory_mib": {"victoria": 47, "influxdb": 47, "prometheus": 66},
    "store.export_bytes_per_sample": {"duckdb": 2.21},
    "graph.asof_subtree_p50_ms": {"timely-beliefs": 31},
}


def install():
    """As the Makefile does with what the tests need; a peer that cannot be had is left out."""
    subprocess.run([ROOT / ".ci/packages", "collectd-core"], check=False, stdout=sys.stderr)
    if not (VENV / "bin/modpoll").exists():
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", VENV], check=False)
        subprocess.run([VENV / "bin/pip", "install", "-q", "--disable-pip-version-check", MODPOLL], check=False)
    if not list(VENV.glob("lib/*/site-packages/tsfile")):
        stores = [VENV / "bin/pip", "install", "-q", "--disable-pip-version-check", TSFILE, "pyarrow==26.0.1"]
        subprocess.run(stores, check=False)


def collectd(folder, port, addresses):
    """Reads each register by a request of its own and writes CSV; no broker."""
    lines = [
        f'BaseDir "{folder}"', f'PIDFile "{folder}/pid"', 'Hostname "bench"', "FQDNLookup false", "Interval 1",
        "LoadPlugin csv", "LoadPlugin modbus", f'<Plugin csv>\n  DataDir "{folder}/csv"\n</Plugin>', "<Plugin modbus>"]
    for address in addresses:
        lines.append(
            f'  <Data "r{address}">\n    RegisterBase {address}\n    RegisterType uint16\n    RegisterCmd ReadHolding\n'
            f'    Type gauge\n    Instance "r{address}"\n  </Data>')
    collect = "".join(f'      Collect "r{address}"\n' for address in addresses)
    lines.append(
        f'  <Host "slave">\n    Address "127.0.0.1"\n    Port "{port}"\n    Interval 1\n    <Slave 1>\n      Instance "s"\n'
        f"{collect}    </Slave>\n  </Host>\n</Plugin>")
    (folder / "collectd.conf").write_text("\n".join(lines) + "\n")
    return [COLLECTD, "-f", "-C", folder / "collectd.conf"]


def stored_by_collectd(folder, addresses):
    """How many registers have their right value in the last line of their file."""
    good = 0
    for address in addresses:
        files = sorted((folder / "csv").rglob(f"gauge-r{address}-*"))
        lines = files[-1].read_text().splitlines() if files else []
        good += bool(lines) and lines[-1].partition(",")[2] not in ("", "nan") and (
            float(lines[-1].partition(",")[2]) == (1000 + address) & 0xFFFF)
    return good


def modpoll(folder, port, addresses):
    """Polls in blocks of 100 and keeps nothing."""
    lines = ["device,bench,1,,"]
    for first in range(addresses[0], addresses[-1] + 1, 100):
        block = range(first, min(first + 100, addresses[-1] + 1))
        lines.append(f"poll,holding_register,{first},{len(block)},BE_BE")
        lines += [f"ref,r{address},{address},uint16,r" for address in block]
    (folder / "modpoll.csv").write_text("\n".join(lines) + "\n")
    return [
        VENV / "bin/modpoll", "--tcp", "127.0.0.1", "--tcp-port", port, "-f", folder / "modpoll.csv", "-r", "1",
        "--interval", "0", "-d"]


def measure(scratch, seconds):
    """By figure, what each installed peer comes to; those that are not installed are absent."""
    found = {}
    kinds = {"collectd": (COLLECTD, collectd), "modpoll": (VENV / "bin/modpoll", modpoll)}
    for name, (program, command) in kinds.items():
        if not os.access(program, os.X_OK):
            continue
        for work, first, count, faults in (
                ("collect", 0, 1000, []), ("holes", 4950, 100, ["hole:at=5000-5009"])):
            folder = pathlib.Path(scratch) / f"{name}-{work}"
            folder.mkdir()
            addresses = range(first, first + count)
            with Slave(folder, 6000, *faults) as slave:
                with Child(command(folder, slave.port, addresses), folder / "peer.log", cwd=folder) as child:
                    time.sleep(8)
                    figures = slave.window(child, seconds)
                    if work == "holes" and name == "collectd":
                        figures["good_of_90"] = stored_by_collectd(folder, [a for a in addresses if not 5000 <= a < 5010])
            for key, value in figures.items():
                found.setdefault(f"{work}.{key}", {})[name] = value
            print(f"  {name}, {work}: done", file=sys.stderr)
    return found


def beside(figure, found):
    """What stands beside a figure: measured now, or earlier and marked so."""
    now = found.get(figure, {})
    earlier = {f"{name} (earlier)": value for name, value in EARLIER.get(figure, {}).items() if name not in now}
    return {**now, **earlier}
