"""Rigid bodies by Bullet."""

from __future__ import annotations

from typing import ClassVar

from physreel.errors import MissingDependencyError
from physreel.simulators.base import Capability, Simulator
from physreel.simulators.bullet_client import import_pybullet
from physreel.simulators.bullet_run import Run
from physreel.simulators.preparation import Preparation, prepare, with_finer_steps
from physreel.simulators.watch import watch
from physreel.spec import SceneSpec
from physreel.values import Trajectory


class BulletSimulator(Simulator):
    """Bullet, with rebounds by Poisson's law on top of its inelastic contacts (see docs/simulators.md)."""

    name: ClassVar[str] = "bullet"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"rigid", "joints", "couplings", "driven"})

    def __init__(self) -> None:
        try:
            pybullet = import_pybullet()
        except ImportError:
            raise MissingDependencyError(
                "simulator 'bullet' needs pybullet, which has wheels for Python 3.11 only; make an environment of "
                "Python 3.11 (uv venv --python 3.11, or python3.11 -m venv) and install physreel there, "
                "or use simulator 'mujoco'"
            ) from None
        self._version = str(pybullet.getAPIVersion())

    def check(self, spec: SceneSpec) -> None:
        """See Simulator.check."""
        self.require_capabilities(spec)
        run = Run(prepare(spec))
        try:
            run.check_overlaps()
        finally:
            run.close()

    def simulate(self, spec: SceneSpec) -> Trajectory:
        """See Simulator.simulate."""
        self.require_capabilities(spec)
        return with_finer_steps(spec, self._simulate)

    def _simulate(self, preparation: Preparation) -> Trajectory:
        run = Run(preparation)
        try:
            run.check_overlaps()
            trajectory, path = run.run(f"bullet {self._version}")
        finally:
            run.close()
        watch(preparation, trajectory, path)
        return trajectory
