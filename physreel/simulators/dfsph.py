"""Liquids by incompressible smoothed particle hydrodynamics, in compiled loops: for draft and standard.

After DFSPH (J. Bender, D. Koschier, Divergence-free SPH for incompressible and viscous fluids, TVCG 23, 2017), with
walls as distances instead of particles (D. Koschier, J. Bender, Density maps, SCA 2017). What differs, and why:

- Pressures are found by conjugate gradients with bounds instead of relaxed Jacobi steps: to a hundredth of the
  residual for the same time. Two iterations a step left a liquid at rest that breathed at 2 cm/s.
- What is too dense is taken back by shifting particles, not by a force: as a force it is energy out of nothing, and a
  liquid at rest never comes to rest.
- A wall's share of the density is that of a lattice that goes on behind it, layer by layer, and not the integral over
  a half space: so the first layer stands half a spacing off it, and volumes are right to a hundredth.
- Velocities live between steps (leapfrog), as MuJoCo's here do: free fall is exact.
- Nothing gets through a wall however thin: what would come too near in a step loses that speed, and neighbours that
  a wall stands between do not see each other.

Water is 30 times as viscous among itself as it is in truth (3e-5 m²/s), for else its particles jostle; at walls it is
not. There is no other damping. Waves still lose much to particles that have to make way for each other, whatever the
viscosity: sloshing in a 20 cm tank dies at 1.5 a second where water's would at 0.1 or so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from physreel.simulators.base import Capability, Simulator
from physreel.simulators.dfsph_bodies import pose_function
from physreel.simulators.dfsph_coupling import MovingBodies
from physreel.simulators.dfsph_watch import watch_held
from physreel.simulators.liquid_record import LiquidRecorder, mean_step_s
from physreel.simulators.liquid_start import start_liquids
from physreel.simulators.preparation import prepare
from physreel.spec import SceneSpec
from physreel.values import Trajectory

if TYPE_CHECKING:
    from physreel.simulators.dfsph_liquid import Liquid

VERSION = "1"


class DfsphSimulator(Simulator):
    """DFSPH (J. Bender, D. Koschier, Divergence-free SPH for incompressible and viscous fluids, 2017)."""

    name: ClassVar[str] = "dfsph"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"driven", "liquids", "two_way"})

    def check(self, spec: SceneSpec) -> None:
        """See Simulator.check."""
        self.require_capabilities(spec)
        start_liquids(spec)
        if _has_dynamic(spec):
            # Round walls are made of flat pieces for it, so it may say more than the exact distances do.
            from physreel.simulators.mujoco import MujocoSimulator

            MujocoSimulator().check_prepared(prepare(spec))

    def simulate(self, spec: SceneSpec) -> Trajectory:
        """See Simulator.simulate."""
        self.require_capabilities(spec)
        liquid = start(spec)
        if _has_dynamic(spec):
            return _with_bodies(spec, liquid)
        liquid.advance(spec.frame_count / spec.fps)
        return _trajectory(spec, liquid)


def start(spec: SceneSpec) -> Liquid:
    """A spec's liquid at time 0."""
    from physreel.simulators.dfsph_liquid import Liquid

    particles = start_liquids(spec)
    recorder = LiquidRecorder(spec, spacing_m=particles.spacing_m, fluid=particles.fluid)
    liquid = Liquid(spec, particles, recorder, pose_function(spec))
    liquid.settle()
    return liquid


def _has_dynamic(spec: SceneSpec) -> bool:
    return any(body.motion == "dynamic" for body in spec.bodies)


def _with_bodies(spec: SceneSpec, liquid: Liquid) -> Trajectory:
    """Take all steps together with MuJoCo, which moves the dynamic bodies."""
    from physreel.simulators.mujoco import MujocoSimulator

    preparation = prepare(spec)
    bodies = MovingBodies(preparation, spec, liquid)
    rigid = MujocoSimulator().simulate_pushed(preparation, bodies.pushed)
    own = _trajectory(spec, liquid)
    return replace(
        rigid,
        liquid=own.liquid,
        signals=own.signals,
        simulator=f"{own.simulator}, {rigid.simulator}",
        notes=(*own.notes, *rigid.notes),
    )


def _trajectory(spec: SceneSpec, liquid: Liquid) -> Trajectory:
    watch_held(liquid.held, liquid.particle_steps)
    record = liquid.recorder.finish()
    steps = max(liquid.steps, 1)
    notes = (
        f"{len(liquid.recorder.fluid)} particles {liquid.spacing * 1e3:.2f} mm apart, {liquid.steps} steps of "
        f"{liquid.rounds / steps:.0f} iterations, mean density error {100 * liquid.error_sum / steps:.2f} %",
    )
    return record.trajectory(
        spec, step_s=mean_step_s(spec, liquid.steps), simulator=f"{DfsphSimulator.name} {VERSION}", notes=notes
    )
