"""Runs of the public plant for the figures on learning: CSVs whose columns are points as the site reads them.

    learn_plants.py FILE CONTROLLER FROM TO [FAULT...]      under the plants' own python; one run a process

Controller and file see what the instruments say, faulty ones too, as a site does; `Tests/Plants/run --log` writes the
truth. Commands stand in the row after the step that they were applied in, which is where the device shows them.
"""
import concurrent.futures, os, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANTS = ROOT / "Tests/Plants"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "twind-plants-own"
FORTNIGHT = ("1-13", "1-28")
# Steps from the start; the tenth day is the last that teaches.
ONSETS = (1152, 1178, 1204, 1230)
# What the plant is given, and what may be blamed for it: of actuators, the asked temperature that the coil does not
# reach or the asked flow that the fans do not give.
FAULTS = (
    ("bias.zone_t:0.5", "sensor:zone_t"), ("bias.zone_t:-0.5", "sensor:zone_t"), ("stuck.zone_t:0", "sensor:zone_t"),
    ("coil:0.8", "actuator:supply_t_sp_applied"), ("coil:0.9", "actuator:supply_t_sp_applied"),
    ("flow:1.2", "actuator:supply_flow_sp_applied"))


def write(path, controller, begin, end, faults):
    """One run, in this process, which ends with it: the engine cannot run twice."""
    sys.path.insert(0, str(PLANTS))
    from amphitheatre import COMMANDS, CONTROLLERS, POINTS, Plant, fault
    day = lambda text: tuple(int(part) for part in text.split("-"))
    plant = Plant(os.environ["TWIND_PLANT_ASSETS"], "lux", day(begin), day(end), [fault(text) for text in faults])
    applied = [""] * len(COMMANDS)
    with open(path, "w", encoding="utf-8") as file:
        print(*(point.name for point in POINTS), *(f"{command.name}_applied" for command in COMMANDS), sep=",", file=file)
        while not plant.done:
            seen = plant.sensed()
            print(*(f"{seen[point.name]:.9g}" for point in POINTS), *applied, sep=",", file=file)
            asked = CONTROLLERS[controller](seen)
            taken = {command.name: None if asked[command.name] is None
                     else min(command.high, max(command.low, asked[command.name])) for command in COMMANDS}
            applied = [f"{command.start if taken[command.name] is None else taken[command.name]:.9g}"
                       for command in COMMANDS]
            plant.step(taken)
    plant.close()


def start(path, *arguments):
    """The same in a process of its own, if it has not run before; gives the path."""
    if not path.exists():
        part = path.with_suffix(".part")
        environment = os.environ | {"TWIND_PLANT_ASSETS": str(CACHE / "model/eplus_gym/envs/assets"),
                                    "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run([CACHE / "venv/bin/python", __file__, part, *arguments], env=environment,
                              capture_output=True, text=True)
        if not part.exists() or not part.stat().st_size or done.returncode:
            raise RuntimeError(f"plant run {' '.join(arguments)}: {done.stderr.strip()[-300:]}")
        part.rename(path)
    return path


def make(folder):
    """All runs: fortnight, quarter, year, and a list of faults as twind-bench takes it."""
    # The plant's own script installs it; its help ends at once.
    subprocess.run([PLANTS / "run", "--help"], check=True, stdout=subprocess.DEVNULL)
    runs = {"fortnight": ("always-on", "1-13", "1-26"), "quarter": ("always-on", "1-1", "3-31"),
            "year": ("always-on", "1-1", "12-31")}
    trials = []
    for controller in ("always-on", "setback"):
        for what, blamed in FAULTS:
            for onset in ONSETS:
                name = f"{controller}.{what.replace(':', '_')}@{onset}"
                runs[name] = (controller, *FORTNIGHT, f"{what}@{onset}")
                trials.append((name, onset, blamed))
    paths = {name: folder / f"{name}.csv" for name in runs}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda name: start(paths[name], *runs[name]), runs))
    listed = folder / "faults.txt"
    listed.write_text("".join(f"{paths[name]} {onset} {blamed}\n" for name, onset, blamed in trials))
    return paths["fortnight"], paths["quarter"], paths["year"], listed


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
