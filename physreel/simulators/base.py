"""The interface of simulators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from physreel.errors import UnsupportedError
from physreel.spec import Gear, Rack, Ring, SceneSpec
from physreel.values import Trajectory

Capability = Literal["rigid", "joints", "couplings", "driven", "machines", "liquids", "two_way"]
"""``rigid``: bodies that move by forces, without liquids; ``two_way``: the same in liquids, which they push as well;
``machines``: meshing teeth, bearings, belts, gas, brakes, slides with play, motors that start later."""


def required_capabilities(spec: SceneSpec) -> frozenset[Capability]:
    """What an engine must be able to do to run this spec."""
    needs: set[Capability] = {"liquids"} if spec.fluids else {"rigid"}
    if spec.fluids and any(body.motion == "dynamic" for body in spec.bodies):
        needs.add("two_way")
    if spec.joints:
        needs.add("joints")
    if spec.couplings:
        needs.add("couplings")
    if any(body.motion == "driven" for body in spec.bodies):
        needs.add("driven")
    if _has_machines(spec):
        needs.add("machines")
    return frozenset(needs)


def _has_machines(spec: SceneSpec) -> bool:
    parts = spec.bearings or spec.belts or spec.gas_cylinders or spec.breakable_teeth
    motors = [joint.motor for joint in spec.joints if joint.motor is not None]
    return bool(
        parts
        or any(body.motion == "carried" or isinstance(body.shape, Gear | Rack | Ring) for body in spec.bodies)
        or any(joint.friction or joint.has_play for joint in spec.joints)
        or any(motor.start_s or motor.ramp_s for motor in motors)
    )


class Simulator(ABC):
    """Runs a SceneSpec. Stateless: the same spec gives the same bytes, in any process, after any other spec."""

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]

    @abstractmethod
    def simulate(self, spec: SceneSpec) -> Trajectory:
        """Run the whole clip.

        Raises:
            SpecError: bodies overlap at the start, or other faults that only geometry shows; all of them at once.
            UnsupportedError: the spec asks for more than this engine can do.
            SimulationError: the run went unstable (NaN, energy out of nothing, bodies through what is solid).
        """

    @abstractmethod
    def check(self, spec: SceneSpec) -> None:
        """Raise SpecError or UnsupportedError as ``simulate`` would before its first step; cheap."""

    def require_capabilities(self, spec: SceneSpec) -> None:
        """Raise UnsupportedError naming what this engine lacks for the spec."""
        missing = required_capabilities(spec) - self.capabilities
        if missing:
            raise UnsupportedError(
                f"simulator {self.name!r} cannot do {', '.join(sorted(missing))}, which scene {spec.scene!r} needs; "
                "choose another (physreel list shows what each can do)"
            )
