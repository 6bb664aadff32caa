"""Gas in the cylinders of four-stroke engines: an ideal gas that is let in, compressed, burnt, and let out.

Pressure and mass are integrated through the cycle, with angles counted from the top dead centre of combustion:

    V dp/dt = n (R T_in m_in - R T m_out - p dV/dt) + (n - 1) dQ/dt,

n being POLYTROPIC. Heat is released after Wiebe, from 10° before to 40° after top dead centre, as much of it as brings
the pressure to ``peak_pressure_pa`` at NOMINAL_REV_S; the air outside is that of the spec. Each charge burns once, and
only while the crank turns forwards: one that is turned backwards draws in what it has let out, in which nothing burns.
Valves are orifices whose opening rises and falls as a half sine; flow through them is choked or not after Saint-Venant.
When the exhaust valve opens, at 140°, the gas is still above the pressure outside and blows down: that is the pulse
that an engine's note is made of. The exhaust is open to the air, and nothing swings in pipes.

Sources:
  Heywood  J. B. Heywood, Internal Combustion Engine Fundamentals (1988), 9.2.2 and 9.5 (Wiebe: a 5, m 2; heat release),
           2.2 and 6.3 (cycle, valve flow)
  Wiebe    I. I. Wiebe, Brennverlauf und Kreisprozess von Verbrennungsmotoren (1970)
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from physreel.errors import SpecError
from physreel.geometry.cranks import EXHAUST_K, POLYTROPIC, SliderCrank
from physreel.simulators.machinery import JointMotion, MachinePart, PartRecord, signal_stride
from physreel.simulators.preparation import Preparation
from physreel.spec import GasCylinder
from physreel.values import Signal

Floats = NDArray[np.float64]

GAS_J_KG_K = 287.0
INTAKE_WARMS_K = 6.85
"""By how much the walls of the port warm the air that is let in."""

BURN_FROM_DEG, BURN_FOR_DEG = -10.0, 50.0
EXHAUST_OPENS_DEG, EXHAUST_CLOSES_DEG = 140.0, 370.0
INTAKE_OPENS_DEG, INTAKE_CLOSES_DEG = 350.0, 580.0
VALVE_SHARE = 0.12
"""Effective area of a fully open valve, as a share of the bore's."""

NOMINAL_REV_S = 8.0
PRESSURE_HZ, FLOW_HZ = 1000.0, 2000.0
"""Signals are kept at the lowest rate above these that divides the rate of steps."""

_CYCLE_ROWS = 2880
_ROUNDS = 4
"""Steps of a cycle at nominal speed, and cycles until one is like the one before."""

_SUBSTEPS = 6
_ROUNDING = 1e-9
"""Of shares of heat: where one step ends and the next begins they may differ in their last digits."""

_PRESSURE, _MASS, _BURNT = 0, 1, 2
_CONSTANTS = (
    EXHAUST_K * GAS_J_KG_K, POLYTROPIC, math.radians(BURN_FROM_DEG), math.radians(BURN_FOR_DEG),
    math.radians(EXHAUST_OPENS_DEG), math.radians(EXHAUST_CLOSES_DEG),
    math.radians(INTAKE_OPENS_DEG), math.radians(INTAKE_CLOSES_DEG),
)  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _burnt(angle):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Share of the heat that has been released at an angle in (-2π, 2π], by Wiebe's function."""
    x = (angle - _CONSTANTS[2]) / _CONSTANTS[3]
    if x <= 0.0:
        return 0.0
    return 1.0 - math.exp(-5.0 * x * x * x)


@numba.njit(cache=True, nogil=True)
def _lift(angle, opens, closes):  # type: ignore[no-untyped-def]  # pragma: no cover
    if angle <= opens or angle >= closes:
        return 0.0
    return math.sin(math.pi * (angle - opens) / (closes - opens))


@numba.njit(cache=True, nogil=True)
def _orifice(area, high, low, warmth):  # type: ignore[no-untyped-def]  # pragma: no cover
    """kg/s through an area from pressure ``high`` with R T = ``warmth`` to ``low``."""
    n = _CONSTANTS[1]
    ratio = max(low / high, (2.0 / (n + 1.0)) ** (n / (n - 1.0)))
    flow = 2.0 * n / (n - 1.0) * (ratio ** (2.0 / n) - ratio ** ((n + 1.0) / n))
    return area * high / math.sqrt(warmth) * math.sqrt(max(flow, 0.0))


@numba.njit(cache=True, nogil=True)
def advance(state, angle_0, angle_1, volume_0, volume_1, valve_area, heat, air, step_s, substeps):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Take gas through a step; return the mass that left by the exhaust, kg.

    Args:
        state: (3,) pressure, mass, and the share of this charge's heat that has been released; changed.
        angle_0: rad from the top dead centre of combustion, before the step; any number of turns.
        angle_1: after it.
        volume_0: m³ before.
        volume_1: after.
        valve_area: effective area of a fully open valve, m².
        heat: J released in a cycle.
        air: pressure outside, and R T of what is let in.
        step_s: length.
        substeps: into which it is divided.
    """
    ambient, intake = air
    exhaust, n = _CONSTANTS[0], _CONSTANTS[1]
    cycle = 4.0 * math.pi
    h = step_s / substeps
    pressure, mass, burnt = state[_PRESSURE], state[_MASS], state[_BURNT]
    half = 0.5 * (angle_1 - angle_0) / substeps
    left = 0.0
    for k in range(substeps):
        a = angle_0 + (angle_1 - angle_0) * (k + 0.5) / substeps
        a -= cycle * math.floor(a / cycle)
        before = volume_0 + (volume_1 - volume_0) * k / substeps
        after = volume_0 + (volume_1 - volume_0) * (k + 1) / substeps
        if half < 0.0 and _lift(a, _CONSTANTS[4], _CONSTANTS[5]) > 0.0:
            burnt = 1.0
        elif half > 0.0 and _lift(a, _CONSTANTS[6], _CONSTANTS[7]) > 0.0:
            burnt = 0.0
        if heat > 0.0 and half > 0.0 and (a < 1.5 or a > cycle - 0.5):
            middle = a if a < 1.5 else a - cycle
            so_far, now = _burnt(middle - half), _burnt(middle + half)
            if so_far < burnt - _ROUNDING:
                so_far = burnt
            if now > so_far:
                pressure += (n - 1.0) * (heat * (now - so_far)) / before
                burnt = now
        pressure *= (before / after) ** n
        for valve in range(2):
            lift = _lift(a, _CONSTANTS[4 + 2 * valve], _CONSTANTS[5 + 2 * valve])
            if lift == 0.0:
                continue
            # No more than brings the pressure to that outside: what flows is quick beside a step.
            if pressure > ambient:
                warmth = pressure * after / mass
                most = mass * (1.0 - (ambient / pressure) ** (1.0 / n))
                flow = min(h * _orifice(valve_area * lift, pressure, ambient, warmth), most)
                pressure *= (1.0 - flow / mass) ** n
                mass -= flow
                if valve == 0:
                    left += flow
            elif pressure < ambient:
                warmth = exhaust if valve == 0 else intake
                most = (ambient - pressure) * after / (n * warmth)
                flow = min(h * _orifice(valve_area * lift, ambient, pressure, warmth), most)
                pressure += n * warmth * flow / after
                mass += flow
                if valve == 0:
                    left -= flow
    state[_PRESSURE], state[_MASS], state[_BURNT] = pressure, mass, burnt
    return left


@numba.njit(cache=True, nogil=True)
def _cycle(state, angle, volume, valve_area, heat, air, step_s, table):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Go once through angles and volumes (M + 1,), keeping the state at each of the first M in ``table`` (M, 3)."""
    for k in range(len(angle) - 1):
        table[k] = state
        advance(state, angle[k], angle[k + 1], volume[k], volume[k + 1], valve_area, heat, air, step_s, 1)


class GasPart(MachinePart):
    """The gas of one cylinder during a run.

    Args:
        prep: the prepared spec.
        cylinder: of the spec.

    Raises:
        SpecError: joints that are no slider-crank of that stroke and firing angle; a peak below that of compression.
    """

    def __init__(self, prep: Preparation, cylinder: GasCylinder) -> None:
        self._prep, self._cylinder = prep, cylinder
        self.crank = SliderCrank.of(prep.spec, cylinder)
        self._area = 0.25 * math.pi * cylinder.bore_m**2
        self._valve = VALVE_SHARE * self._area
        self._clearance = self._area * cylinder.stroke_m / (cylinder.compression_ratio - 1.0)
        self._top = self.crank.outward * self.crank.top_m
        outside = prep.spec.air
        intake_k = outside.temperature_c + 273.15 + INTAKE_WARMS_K
        self._air = (outside.pressure_pa, intake_k * GAS_J_KG_K)
        self.heat_j, table = self._settled()
        start = self.crank.start_rad
        row = start % (4.0 * math.pi) / (4.0 * math.pi) * _CYCLE_ROWS
        rows = np.arange(_CYCLE_ROWS + 1)
        self._state = np.array([np.interp(row, rows, np.append(column, column[0])) for column in table.T])
        since_top = start % (4.0 * math.pi)
        charged = since_top >= math.radians(INTAKE_OPENS_DEG)  # with what is to burn at the next top dead centre
        self._state[_BURNT] = _burnt(since_top - 4.0 * math.pi if charged else since_top)
        self._last = (start, self._volume(0.0))
        self._pressure = np.full(prep.step_count, outside.pressure_pa)
        self._left = np.zeros(prep.step_count)

    def _volume(self, position_m: float) -> float:
        way = max(self._top - self.crank.outward * position_m, -0.5 * self._clearance / self._area)
        return self._clearance + self._area * way

    def _settled(self) -> tuple[float, Floats]:
        """Heat of a cycle that gives the wanted peak, and (M, 3) states through a cycle at nominal speed."""
        angle = np.linspace(0.0, 4.0 * np.pi, _CYCLE_ROWS + 1)
        way = self.crank.radius_m + self.crank.rod_m - self.crank.height_m(angle)
        volume = self._clearance + self._area * way
        step_s = 2.0 / (NOMINAL_REV_S * _CYCLE_ROWS)
        table = np.zeros((_CYCLE_ROWS, 3))
        ambient, warmth = self._air

        def run(heat: float) -> float:
            full = volume[0] + self._area * self._cylinder.stroke_m
            state = np.array([ambient, ambient * full / warmth, 0.0])
            for _ in range(_ROUNDS):
                _cycle(state, angle, volume, self._valve, heat, self._air, step_s, table)
            return float(table[:, _PRESSURE].max())

        compressed = run(0.0)
        if not self._cylinder.fires:
            return 0.0, table
        wanted = self._cylinder.peak_pressure_pa
        if wanted < 1.05 * compressed:
            k = self._prep.spec.gas_cylinders.index(self._cylinder)
            raise SpecError(
                [
                    f"gas_cylinders.{k}.peak_pressure_pa: {wanted:.3g} Pa, but a compression ratio of "
                    f"{self._cylinder.compression_ratio:g} alone gives {compressed:.3g} Pa; at least "
                    f"{1.05 * compressed:.3g} Pa, or a lower compression_ratio"
                ]
            )
        low, high = 0.0, wanted * volume.max() / (POLYTROPIC - 1.0)
        for _ in range(40):
            heat = 0.5 * (low + high)
            low, high = (heat, high) if run(heat) < wanted else (low, heat)
        return heat, table

    def push(self, step: int, position: Floats, velocity: Floats, effort: Floats) -> None:
        """See MachinePart.push."""
        crank = self.crank
        if step:
            self._left[step - 1] = self._go(position)
        pressure = self._state.item(_PRESSURE)
        self._pressure[step] = pressure
        effort[crank.piston] -= crank.outward * self._area * (pressure - self._air[0])

    def _go(self, position: Floats) -> float:
        """Take the gas to where crank and piston are now; the mass that leaves on the way."""
        before, swept = self._last
        angle = self.crank.start_rad + position.item(self.crank.crank)
        volume = self._volume(position.item(self.crank.piston))
        self._last = (angle, volume)
        left: float = advance(
            self._state, before, angle, swept, volume, self._valve, self.heat_j, self._air, self._prep.step_s, _SUBSTEPS
        )
        return left

    def finish(self, motion: JointMotion) -> PartRecord:
        """Signals "pressure:<cylinder>" (Pa) and "exhaust:<cylinder>" (kg/s out of the exhaust, means of intervals)."""
        name, h = self._cylinder.name, motion.step_s
        self._left[-1] = self._go(motion.position[-1])
        fps = self._prep.spec.fps
        slow, fast = (signal_stride(motion.substeps, fps, rate) for rate in (PRESSURE_HZ, FLOW_HZ))
        flow = (self._left / h).reshape(-1, fast).mean(1)
        return PartRecord(
            signals={
                f"pressure:{name}": Signal(values=self._pressure[::slow], rate_hz=1.0 / (slow * h), unit="Pa"),
                f"exhaust:{name}": Signal(values=flow, rate_hz=1.0 / (fast * h), unit="kg/s"),
            }
        )
