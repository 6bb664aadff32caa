"""Checks of simulators."""

from __future__ import annotations

import numpy as np

from physreel import registry
from physreel.errors import SpecError, UnsupportedError
from physreel.geometry.distances import signed_distances, world_distances
from physreel.geometry.rotations import keyframe_pose
from physreel.geometry.vessels import capacity_m3, world_inside
from physreel.simulators.base import Simulator
from physreel.spec import Plane, SceneSpec, Tank, Vessel
from physreel.testing.report import Report, require, same, untouched_global_rng
from physreel.testing.worlds import (
    FLOAT_LEVEL_M,
    FLOAT_RADIUS_M,
    GEARS_RATIO,
    GEARS_START_S,
    free_fall,
    overlapping,
    pendulum,
    small_float,
    small_gears,
    small_pour,
    small_world,
)
from physreel.values import Trajectory


def check_simulator(simulator: str | type[Simulator]) -> tuple[str, ...]:
    """Contracts of a simulator: same bytes each time, true shapes and times, free fall, refusal of what cannot be.

    Engines of rigid bodies and engines of liquids are put through the checks of what they say they can do.
    """
    simulator_type: type[Simulator] = registry.load("simulators", simulator)
    report = Report(f"simulator {simulator_type.name!r}")
    engine = simulator_type()
    if "rigid" in simulator_type.capabilities:
        _check_rigid(report, engine)
    if "liquids" in simulator_type.capabilities:
        _check_liquids(report, engine)
    if "two_way" in simulator_type.capabilities:
        _check_two_way(report, engine)
    with report.check("refuses what it cannot do"):
        lacking = {
            "rigid": free_fall(),
            "liquids": small_pour(),
            "two_way": small_float(),
            "joints": pendulum(),
            "machines": small_gears(),
        }
        for name, spec in lacking.items():
            if name in simulator_type.capabilities:
                continue
            try:
                engine.simulate(spec)
            except UnsupportedError:
                continue
            raise AssertionError(f"it has no {name} among its capabilities, but ran scene {spec.scene!r}")
    return report.done()


def _check_rigid(report: Report, engine: Simulator) -> None:
    spec = small_world()
    with (
        report.check("gives the same bytes again, after other worlds, and from a new instance"),
        untouched_global_rng(),
    ):
        first = engine.simulate(spec)
        engine.simulate(small_world(speed_m_s=2.0))
        require(same(first, engine.simulate(spec)), "a second run of the same spec differs")
        require(same(first, type(engine)().simulate(spec)), "a new instance gives another trajectory")
    with report.check("returns T frames of every body, read-only, starting from the spec's poses"):
        run = engine.simulate(spec)
        require(run.body_pose.shape == (spec.frame_count, len(spec.bodies), 7), f"body_pose is {run.body_pose.shape}")
        require(not run.body_pose.flags.writeable, "body_pose can be written to")
        for i, body in enumerate(spec.bodies):
            require(np.allclose(run.body_pose[0, i, :3], body.position_m, atol=1e-9), f"{body.name} starts elsewhere")
            turned = abs(np.dot(run.body_pose[0, i, 3:], body.orientation_wxyz))
            require(turned > 1 - 1e-9, f"{body.name} starts turned")
        substeps = 1.0 / (run.fps * run.step_s)
        require(abs(substeps - round(substeps)) < 1e-6, f"{substeps} steps a frame is not whole")
    with report.check("lets things fall as they do"):
        fall = engine.simulate(free_fall())
        want = 2.0 - 0.5 * 9.81 * fall.time_s**2
        error = float(np.abs(fall.body_pose[:, 0, 2] - want).max())
        require(error < 2e-3, f"{error * 1000:.2f} mm off z0 - g t²/2")
    with report.check("orders contacts by time, a before b, with impulses and unit normals from a to b"):
        contacts = engine.simulate(spec).contacts
        require(len(contacts), "no contact of a ball with the floor it falls on")
        require((np.diff(contacts.time_s) >= 0).all(), "not in order of time")
        require((contacts.body_a < contacts.body_b).all(), "body_a must be less than body_b")
        require((contacts.normal_impulse_n_s >= 0).all(), "negative normal impulse")
        require(np.allclose(np.linalg.norm(contacts.normal, axis=1), 1.0, atol=1e-6), "normals are not unit vectors")
        require((contacts.normal[contacts.body_a == 0, 2] > 0.5).all(), "the normal from the floor must point up")
    with report.check("refuses bodies that overlap at the start, naming them"):
        try:
            engine.check(overlapping())
        except SpecError as error:
            require("ball" in str(error) and "block" in str(error), f"the message names no bodies: {error}")
        else:
            raise AssertionError("two bodies in one place were accepted")
    if "joints" in engine.capabilities:
        with report.check("runs a pendulum"):
            engine.simulate(pendulum())
    if "machines" in engine.capabilities:
        _check_machines(report, engine)


def _check_machines(report: Report, engine: Simulator) -> None:
    spec = small_gears()
    with report.check("turns two gears by their teeth, after their motor is switched on"):
        run = engine.simulate(spec)
        first, second = run.signals["angle:pinion"].values, run.signals["angle:wheel"].values
        late = run.signals["angle:pinion"].rate_hz * GEARS_START_S
        require(np.abs(first[: int(late)]).max() == 0.0, "the motor turns before it is switched on")
        ratio = float(second[-1] / first[-1])
        require(abs(ratio + GEARS_RATIO) < 0.02 * GEARS_RATIO, f"the ratio is {ratio:.4f}, not {-GEARS_RATIO:.4f}")
    with report.check("refuses gears whose teeth overlap, and says what would mesh"):
        bodies = (spec.bodies[0], spec.bodies[1].model_copy(update={"position_m": (0.086, 0.0, 0.2)}))
        joints = (spec.joints[0], spec.joints[1].model_copy(update={"anchor_m": (0.086, 0.0, 0.2)}))
        try:
            engine.check(spec.model_copy(update={"bodies": bodies, "joints": joints}))
        except SpecError as error:
            require("88.000 mm" in str(error), f"the message does not tell the distance that would: {error}")
        else:
            raise AssertionError("it accepted teeth in each other")


def _check_liquids(report: Report, engine: Simulator) -> None:
    spec = small_pour()
    first = _simulated(report, engine, spec, "runs a small pour")
    if first is None or (run := first.liquid) is None:
        return
    with report.check("pours the same liquid again, byte for byte, also from a new instance"), untouched_global_rng():
        require(same(first, type(engine)().simulate(spec)), "a second run of the same spec differs")
    with report.check("returns T frames of every particle, read-only, from the spec's amount"):
        want = (spec.frame_count, len(run), 3)
        require(run.position_m.shape == want, f"positions are {run.position_m.shape}, expected {want}")
        require(not run.position_m.flags.writeable, "positions can be written to")
        cup = spec.bodies[2].shape
        assert isinstance(cup, Vessel)
        asked, got = capacity_m3(cup, 0.055), len(run) * run.particle_volume_m3
        require(abs(got / asked - 1.0) < 0.05, f"asked for {asked * 1e6:.1f} ml, got {got * 1e6:.1f} ml")
        require(np.isfinite(run.position_m).all(), "positions that are not numbers")
        inside = world_inside(spec.bodies[2], first.body_pose[0, 2], run.position_m[0])
        require(inside.all(), f"{(~inside).sum()} particles start outside the cup")
    with report.check("moves driven bodies along their keyframes"):
        end = keyframe_pose(spec.bodies[2], spec.duration_s)
        require(np.allclose(first.body_pose_end[2], end, atol=1e-9), "the cup is not where its keyframes end")
    with report.check("pours liquid into the glass, and none through walls"):
        glass = world_inside(spec.bodies[1], first.body_pose_end[1], run.position_end_m)
        require(glass.mean() > 0.3, f"only {100 * glass.mean():.0f} % of the liquid is in the glass at the end")
        depth = signed_distances(Plane(), run.position_end_m[run.present_end]).min()
        require(depth > -0.5 * run.spacing_m, f"liquid is {-depth * 1e3:.1f} mm deep in the floor")
    with report.check("tells how much is in each vessel, and what met what when"):
        volume = first.signals["volume:cup"]
        require(abs(volume.values[0] / (len(run) * run.particle_volume_m3) - 1.0) < 0.02, "the cup is not full at 0")
        require(volume.values[-1] < 0.6 * volume.values[0], "the cup is not poured out")
        met = run.impacts
        require(len(met) > 0, "no liquid met anything")
        require((np.diff(met.time_s) >= 0).all(), "impacts are not in order of time")
    with report.check("refuses a vessel in the floor, and liquid too coarse for it"):
        bodies = list(spec.bodies)
        bodies[1] = bodies[1].model_copy(update={"position_m": (0.0, 0.0, -0.02)})
        for wrong in (spec.model_copy(update={"bodies": tuple(bodies)}), small_pour(spacing_m=0.03)):
            try:
                engine.check(wrong)
            except SpecError:
                continue
            raise AssertionError("it accepted a world that cannot be")


def _check_two_way(report: Report, engine: Simulator) -> None:
    spec = small_float()
    first = _simulated(report, engine, spec, "runs two balls in a small tank")
    if first is None or (run := first.liquid) is None:
        return
    tank = spec.bodies[1].shape
    assert isinstance(tank, Tank)
    with report.check("moves bodies and liquid the same again, byte for byte"):
        require(same(first, engine.simulate(spec)), "a second run of the same spec differs")
    with report.check("lets what is light float and what is heavy sink"):
        cork, steel = (float(z) - tank.floor_z_m for z in first.body_pose_end[2:, 2])
        require(abs(cork - FLOAT_LEVEL_M) < FLOAT_RADIUS_M, f"the cork ball is {cork * 1e3:.0f} mm above the floor")
        off = steel - FLOAT_RADIUS_M
        require(abs(off) < 0.2 * FLOAT_RADIUS_M, f"the steel ball is {off * 1e3:.1f} mm off the floor")
    with report.check("lets bodies push liquid out of their place"):
        for i in (2, 3):
            depth = world_distances(spec.bodies[i].shape, first.body_pose_end[i], run.position_end_m).min()
            require(depth > -0.5 * run.spacing_m, f"liquid is {-depth * 1e3:.1f} mm deep in {spec.bodies[i].name!r}")


def _simulated(report: Report, engine: Simulator, spec: SceneSpec, name: str) -> Trajectory | None:
    """A first run of a world with liquid, as the check of that name; None if it failed."""
    with report.check(name):
        found = engine.simulate(spec)
        require(found.liquid is not None, "the trajectory has no liquid")
        return found
    return None
