"""The amphitheatre: its points and commands, what breaks in it, the rules it is compared with, and its judge.

A university lecture hall with an air handling unit, a district heating coil, CO2 and a timetable; the model's author
calibrated it against measured consumption (PyPI `eplus-gym-khalil`, MIT). One plant step is 15 minutes.
"""

import argparse
import os
from collections import namedtuple

STEP_S = 900.0
FULL_FLOW = 2.68  # kg/s, both fans
CLIMATES = {
    "lux": "LUX_LU_Luxembourg.AP.065900_TMYx.2004-2018.epw",
    "usa": "USA_SD_Rapid.City.Rgnl.AP.726620_TMYx.2007-2021.epw",
    "brest": "FRA_BT_Brest.Bretagne.AP.071100_TMYx.2009-2023.epw",
}

Point = namedtuple("Point", "name unit what source")
Command = namedtuple("Command", "name unit low high start")
Fault = namedtuple("Fault", "kind point size step")

_ZONE, _SITE, _SUPPLY = "TZ_Amphitheater", "Environment", "Node 3"
POINTS = [  # the position gives the register; units are UCUM codes; a source is (variable, key) or a meter
    Point("zone_t", "Cel", "zone mean air temperature", ("Zone Mean Air Temperature", _ZONE)),
    Point("zone_co2", "[ppm]", "zone CO2", ("Zone Air CO2 Concentration", _ZONE)),
    Point("outdoor_t", "Cel", "outdoor dry bulb", ("Site Outdoor Air Drybulb Temperature", _SITE)),
    Point("solar_direct", "W/m2", "direct solar radiation", ("Site Direct Solar Radiation Rate per Area", _SITE)),
    Point("supply_t", "Cel", "supply air temperature", ("System Node Temperature", _SUPPLY)),
    Point("supply_flow", "kg/s", "supply air mass flow", ("System Node Mass Flow Rate", _SUPPLY)),
    Point("occupancy", "1", "share of seats taken, from the timetable",
          ("Schedule Value", "Maison Du Savoir Auditorium Occ")),
    Point("heating_sp", "Cel", "heating setpoint of the timetable", ("Schedule Value", "HTG HVAC 1 adjusted by 1.1 F")),
    Point("cooling_sp", "Cel", "cooling setpoint of the timetable", ("Schedule Value", "CLG HVAC 1 adjusted by 0 F")),
    Point("hot_water_t", "Cel", "district heating supply temperature", ("System Node Temperature", "Node 13")),
    Point("electricity_j", "J", "HVAC electricity in the step", "Electricity:HVAC"),
    Point("heat_j", "J", "district heat in the step", "Heating:DistrictHeatingWater"),
    Point("hour", "h", "hour of the plant's day", None),
]
COMMANDS = [
    Command("supply_t_sp", "Cel", 10.0, 45.0, 21.0),
    Command("ahu_on", "1", 0.0, 1.0, 1.0),
    Command("supply_flow_sp", "kg/s", 0.5, FULL_FLOW, FULL_FLOW),
]
ACTUATORS = {
    "supply_t": ("System Node Setpoint", "Temperature Setpoint", _SUPPLY),
    "running": ("Schedule:Year", "Schedule Value", "AHUs OnOff"),
    "supply_fan": ("Fan", "Fan Air Mass Flow Rate", "CTA AUDITOIRE 240P SUPPLY FAN"),
    "exhaust_fan": ("Fan", "Fan Air Mass Flow Rate", "CTA AUDITOIRE 240P EXAUST FAN"),
}


class Judge:
    """The plant's own account of a run, from its true state before every step.

    Cost in EUR; energy in kWh; discomfort in K·h outside 21 to 24.5 °C and CO2 in ppm·h above 1000, while occupied.
    """

    HEAT_PRICE = 0.11  # EUR/kWh
    DAY_PRICE, PEAK_PRICE = 0.18, 0.32  # EUR/kWh, electricity
    PEAKS = ((7, 10), (17, 21))  # hours
    COMFORT = (21.0, 24.5)  # °C
    CO2_LIMIT = 1000.0  # ppm
    OCCUPIED = 0.01  # share of seats

    def __init__(self):
        self.steps = 0
        self.cost = self.electricity = self.heat = self.discomfort = self.co2 = 0.0

    @classmethod
    def price(cls, hour):
        """EUR/kWh of electricity at an hour of the day."""
        return cls.PEAK_PRICE if any(begin <= hour % 24 < end for begin, end in cls.PEAKS) else cls.DAY_PRICE

    def add(self, truth):
        self.steps += 1
        electricity, heat = truth["electricity_j"] / 3.6e6, truth["heat_j"] / 3.6e6
        self.electricity += electricity
        self.heat += heat
        self.cost += electricity * self.price(truth["hour"]) + heat * self.HEAT_PRICE
        if truth["occupancy"] > self.OCCUPIED:
            low, high = self.COMFORT
            hours = STEP_S / 3600
            self.discomfort += hours * max(0.0, low - truth["zone_t"], truth["zone_t"] - high)
            self.co2 += hours * max(0.0, truth["zone_co2"] - self.CO2_LIMIT)

    def report(self, clamped):
        """The judgement as printed; `clamped` counts commands that the plant did not take as they came."""
        figures = {"cost_eur": self.cost, "electricity_kwh": self.electricity, "heat_kwh": self.heat,
                   "discomfort_kh": self.discomfort, "co2_ppmh": self.co2}
        return {"steps": self.steps, **{name: round(value, 3) for name, value in figures.items()},
                "clamped_commands": clamped}


def bounded(value, low, high):
    return min(high, max(low, value))


def supply_temperature(truth, gain):
    """Proportional control of the zone by the supply temperature, °C, 0.3 K above the timetable's setpoint."""
    target = truth["heating_sp"] + 0.3
    return bounded(target + gain * (target - truth["zone_t"]), 14.0, 38.0)


def always_on(truth):
    """Fans run day and night; the model picks their flow."""
    return {"supply_t_sp": supply_temperature(truth, 4.0), "ahu_on": 1.0, "supply_flow_sp": None}


def setback(truth):
    """Off while the timetable asks for little, unless the hall gets colder than 15.5 °C."""
    return always_on(truth) | {"ahu_on": 1.0 if truth["heating_sp"] > 18 or truth["zone_t"] < 15.5 else 0.0}


def demand_controlled(truth):
    """Setback, and air by need: CO2 above 600 ppm, or heat missing; less air is heated more."""
    commands = setback(truth)
    if commands["ahu_on"]:
        need = max((truth["zone_co2"] - 600) / 350, (truth["heating_sp"] - truth["zone_t"]) / 2)
        flow = bounded(FULL_FLOW * need, 0.7, FULL_FLOW)
        commands |= {"supply_flow_sp": flow, "supply_t_sp": supply_temperature(truth, 4.0 * FULL_FLOW / flow)}
    return commands


CONTROLLERS = {"always-on": always_on, "setback": setback, "dcv": demand_controlled}


def fault(text):
    """Reads KIND:SIZE@STEP, e.g. `bias.zone_t:0.5@900`, for argparse."""
    kinds = {"bias": True, "stuck": True, "coil": False, "flow": False, "hour": False}
    try:
        what, _, rest = text.partition(":")
        size, _, step = rest.partition("@")
        kind, _, point = what.partition(".")
        found = Fault(kind, point, float(size), int(step))
    except ValueError:
        found = None
    names = [known.name for known in POINTS] if found and kinds.get(found.kind) else [""]
    if found is None or found.kind not in kinds or found.point not in names:
        raise argparse.ArgumentTypeError(
            f"fault {text!r} is not KIND:SIZE@STEP with KIND one of bias.POINT stuck.POINT coil flow hour")
    return found


class Plant:
    """The building with its faults: `truth` is what is, `sensed()` what its instruments say."""

    def __init__(self, assets, climate, begin, end, faults=()):
        # Here and not above: who only reads the tables needs no engine.
        from engine import Engine
        variables = {point.name: point.source for point in POINTS if isinstance(point.source, tuple)}
        meters = {point.name: point.source for point in POINTS if isinstance(point.source, str)}
        self._engine = Engine(os.path.join(assets, "model.idf"), os.path.join(assets, CLIMATES[climate]),
                              variables, meters, ACTUATORS, begin, end)
        self._faults, self._frozen = tuple(faults), {}
        self.truth, self.judge = self._engine.observation, Judge()
        self.done = False

    def _active(self, kind):
        return [known for known in self._faults if known.kind == kind and self.judge.steps >= known.step]

    def sensed(self):
        """The truth through the faulty instruments. A stuck one keeps what it showed when this was first asked."""
        seen = dict(self.truth)
        for known in self._active("bias"):
            seen[known.point] += known.size
        for known in self._active("stuck"):
            seen[known.point] = self._frozen.setdefault(known.point, seen[known.point])
        for known in self._active("hour"):
            seen["hour"] = (seen["hour"] + known.size) % 24
        return seen

    def step(self, commands):
        """One quarter of an hour under `commands`, which are in range; a flow of None is the model's own choice."""
        running = round(commands["ahu_on"])
        flow, supply_t = (commands["supply_flow_sp"] if running else None), commands["supply_t_sp"]
        for known in self._active("flow"):
            flow = known.size if running else None
        for known in self._active("coil"):
            lift = supply_t - self.truth["outdoor_t"]
            supply_t = self.truth["outdoor_t"] + lift * (known.size if lift > 0 else 1.0)
        self.judge.add(self.truth)
        self._engine.step({"supply_t": supply_t, "running": running, "supply_fan": flow, "exhaust_fan": flow})
        self.done = self._engine.observation is None
        self.truth = self._engine.observation or self.truth

    def close(self):
        self._engine.close()
