"""SPlisHSPlasH driven step by step, in a process of its own: liquids as particles, walls as points, poses as given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError
from physreel.geometry.rotations import pose_rates, wxyz_to_xyzw
from physreel.simulators import splash_library

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_NUDGES = 8
"""How often a step is tried again whose adhesion came out as not a number; see Engine.step."""

_GROWTH_ERROR = 0.01
"""Per cent by which the density may be about to grow; waves swing truer than with the engine's default of 0.1."""

_VISCOSITY_ERROR = 1e-5
"""Residual of the viscosity's solver. At its default, 0.01, thin liquids already pass before the first iteration."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """All particles of one liquid.

    Attributes:
        position_m: (n, 3).
        density_kg_m3: at rest.
        viscosity_m2_s: kinematic.
        wall_viscosity_m2_s: kinematic, against walls; 0: they are slippery.
        surface_tension: the engine's coefficient; 0: none.
    """

    position_m: Floats
    density_kg_m3: float
    viscosity_m2_s: float
    wall_viscosity_m2_s: float
    surface_tension: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Wall:
    """Points of a body in its frame (M, 3), its pose (7,) at the start, and whether it moves."""

    points_m: Floats
    pose: Floats
    moves: bool


class Engine:
    """One simulation; there can be one in a process.

    Args:
        folder: for the engine's files.
        parts: the liquids.
        walls: those that stand first, then those that move.
        radius_m: half of what a particle's edge is at the engine's rest density.
        gravity_m_s2: (3,).
        density_error: share by which the density may be too high on average.
    """

    def __init__(
        self,
        folder: Path,
        parts: list[Part],
        walls: list[Wall],
        *,
        radius_m: float,
        gravity_m_s2: tuple[float, float, float],
        density_error: float,
    ) -> None:
        if any(b.moves < a.moves for a, b in pairwise(walls)):
            raise ValueError("walls that move come after those that stand: the engine sorts them so")
        self._sph = sph = splash_library.load()
        self._counts, self._radius = [len(part.position_m) for part in parts], radius_m
        scene = _scene(folder, parts, walls, radius_m, gravity_m_s2, density_error)
        base = sph.Exec.SimulatorBase()
        base.init(
            sceneFile=str(scene), useGui=False, outputDir=str(folder / "out"), initialPause=False, useCache=False,
            stopAt=1.0,
        )  # fmt: skip
        base.initSimulation()
        self._base, self._time = base, sph.TimeManager.getCurrent()
        # Walls are read by "run until stopAt", the only way there is; where that is past, no step is taken.
        base.setValueFloat(base.STOP_AT, 1e-9)
        self._time.setTime(1.0)
        base.runSimulation()
        base.setValueFloat(base.STOP_AT, 1e9)
        self._time.setTime(0.0)
        simulation = sph.Simulation.getCurrent()
        self._models = [simulation.getFluidModel(k) for k in range(len(parts))]
        self._bodies = [simulation.getBoundaryModel(k).getRigidBodyObject() for k in range(len(walls))]
        self._moving = [k for k, wall in enumerate(walls) if wall.moves]
        # Walls would look for neighbours in each other at every step, for nothing; there are many more of their points
        # than of the liquid's.
        search = simulation.getNeighborhoodSearch()
        search.setNeighborhoodSearchActive(False)
        for liquid in range(len(parts)):
            for other in range(search.numberOfPointSets()):
                search.setNeighborhoodSearchActive(liquid, other, True)
        self._check(simulation, parts, walls, density_error)
        self._now = self._read()

    def _check(self, simulation: Any, parts: list[Part], walls: list[Wall], density_error: float) -> None:
        """What the engine does not know under a name it leaves alone without a word: so it is read back."""
        wrong = []
        for k, (model, part) in enumerate(zip(self._models, parts, strict=True)):
            viscosity = _parameters(model.getViscosityBase())
            wanted = {
                "viscosity": part.viscosity_m2_s,
                "viscosityBoundary": part.wall_viscosity_m2_s,
                "viscoMaxError": _VISCOSITY_ERROR,
            }
            found: dict[str, float] = {name: viscosity.get(name, np.nan) for name in wanted}
            wanted |= {"density": part.density_kg_m3, "particles": len(part.position_m)}
            found |= {"density": model.getDensity0(), "particles": model.numActiveParticles()}
            if part.surface_tension > 0.0:
                wanted["surfaceTension"] = part.surface_tension
                found["surfaceTension"] = _parameters(model.getSurfaceTensionBase()).get("surfaceTension", np.nan)
            wrong += [
                f"{name} of liquid {k} is {found[name]:g}, not {value:g}"
                for name, value in wanted.items()
                if not np.isclose(found[name], value, rtol=1e-4)
            ]
        for k, wall in enumerate(walls):
            count = simulation.getBoundaryModel(k).numberOfParticles()
            if count != len(wall.points_m) or self._bodies[k].isAnimated() != wall.moves:
                wrong.append(f"wall {k} has {count} points, not {len(wall.points_m)}")
        solver = _parameters(simulation.getTimeStep())
        if not np.isclose(solver.get("maxError", np.nan), 100 * density_error, rtol=1e-4):
            wrong.append(f"maxError is {solver.get('maxError')}, not {100 * density_error}")
        if wrong:
            raise SimulationError("SPlisHSPlasH did not take what it was given: " + "; ".join(wrong))

    def state(self) -> tuple[Floats, Floats]:
        """Positions and velocities (N, 3), the particles of all liquids in the order they were given."""
        return self._now[0].copy(), self._now[1].copy()

    def _read(self) -> tuple[Floats, Floats]:
        position, velocity = np.empty((2, sum(self._counts), 3))
        for model, ids in zip(self._models, self._ids(), strict=True):
            position[ids] = _field(model, "position")[: len(ids)]
            velocity[ids] = _field(model, "velocity")[: len(ids)]
        return position, velocity

    def _ids(self) -> list[Whole]:
        """Of each liquid, which particle stands in each of the engine's places, which it changes to be fast."""
        before, out = 0, []
        for model, count in zip(self._models, self._counts, strict=True):
            out.append(before + _field(model, "id")[:count, 0].astype(np.int64))
            before += count
        return out

    def set_velocities(self, velocity_m_s: Floats) -> None:
        """Give all particles new velocities (N, 3)."""
        for model, ids in zip(self._models, self._ids(), strict=True):
            _field(model, "velocity")[: len(ids)] = velocity_m_s[ids]
        self._now = self._read()

    def step(self, step_s: float, poses: list[Floats], ends: list[Floats]) -> None:
        """Take a step in which the walls that move go from their poses (7,) to their ends (7,)."""
        for k, pose, end in zip(self._moving, poses, ends, strict=True):
            linear, angular = pose_rates(pose, end, step_s)
            body = self._bodies[k]
            body.setPosition(pose[:3])
            body.setRotation(wxyz_to_xyzw(pose[3:]))
            body.setVelocity(linear)
            body.setAngularVelocity(angular)
        if self._moving:
            self._base.updateBoundaryParticles(False)
        self._time.setTimeStepSize(step_s)
        before = self.state()
        for _ in range(_NUDGES):
            self._base.timeStepNoGUI()
            self._now = self._read()
            if np.isfinite(self._now[1]).all():
                return
            # The engine takes a fourth root of what is 0 where a particle is just as far from a point of a wall as its
            # adhesion reaches, and rounding makes that negative; and 0 times that is no number, though there is no
            # adhesion. Such a particle is moved by a ten-thousandth of its radius, and the step taken again.
            before[0][self._without_acceleration()] += 1e-4 * self._radius
            self._restore(*before)
        raise SimulationError(f"positions or velocities are no longer numbers, also after {_NUDGES} tries of one step")

    def _without_acceleration(self) -> Whole:
        """Particles whose acceleration is no number."""
        found = []
        for model, ids in zip(self._models, self._ids(), strict=True):
            found += [k for place, k in enumerate(ids.tolist()) if not np.isfinite(model.getAcceleration(place)).all()]
        return np.array(found, np.int64)

    def _restore(self, position: Floats, velocity: Floats) -> None:
        for model, ids in zip(self._models, self._ids(), strict=True):
            _field(model, "position")[: len(ids)] = position[ids]
            _field(model, "velocity")[: len(ids)] = velocity[ids]
            # What the solvers begin with, and what one liquid takes from the other before that has its turn.
            for name in ("p / rho^2", "p_v / rho^2", "pressure acceleration", "velocity difference"):
                _field(model, name)[:] = 0.0

    def park(self, who: Whole, places_m: Floats) -> None:
        """Take particles out of the simulation: they stay at the places (n, 3) and meet nothing."""
        for model, ids in zip(self._models, self._ids(), strict=True):
            at = {int(particle): place for place, particle in enumerate(ids)}
            for particle, place in zip(who.tolist(), places_m, strict=True):
                if particle in at:
                    model.setParticleState(at[particle], self._sph.ParticleState.AnimatedByEmitter)
                    model.setPosition(at[particle], place)
                    model.setVelocity(at[particle], np.zeros(3))
        self._now = self._read()


def _field(model: Any, name: str) -> NDArray[Any]:
    values = np.asarray(model.getFieldBuffer(name))
    return values.reshape(len(values), -1)


def _parameters(owner: Any) -> dict[str, float]:
    out = {}
    for k in range(owner.numParameters()):
        if owner.getType(k) == owner.FLOAT:
            out[owner.getName(k)] = owner.getValueFloat(k)
    return out


def _scene(
    folder: Path,
    parts: list[Part],
    walls: list[Wall],
    radius: float,
    gravity: tuple[float, float, float],
    density_error: float,
) -> Path:
    """Write the engine's scene file and what it names."""
    still = {"translation": [0, 0, 0], "rotationAxis": [1, 0, 0], "rotationAngle": 0.0, "scale": [1, 1, 1]}
    materials, fluids, bodies = [], [], []
    for k, part in enumerate(parts):
        _write_points(folder / f"liquid{k}.bgeo", part.position_m)
        fluids.append({**still, "particleFile": str(folder / f"liquid{k}.bgeo"), "id": f"liquid{k}"})
        materials.append(
            {
                "id": f"liquid{k}",
                "density0": part.density_kg_m3,
                "maxEmitterParticles": 0,
                "viscosityMethod": 6,
                "Weiler et al. 2018": {
                    "viscosity": part.viscosity_m2_s,
                    "viscosityBoundary": part.wall_viscosity_m2_s,
                    "viscoMaxError": _VISCOSITY_ERROR,
                },
                "surfaceTensionMethod": 2 if part.surface_tension > 0.0 else 0,
                "Akinci et al. 2013": {"surfaceTension": part.surface_tension, "surfaceTensionBoundary": 0.0},
            }
        )
    # Every body must have triangles; those of none are used.
    (folder / "none.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    for k, wall in enumerate(walls):
        _write_points(folder / f"wall{k}.bgeo", wall.points_m)
        vector = wall.pose[4:]
        sine = float(np.linalg.norm(vector))
        bodies.append(
            {
                **still,
                "geometryFile": str(folder / "none.obj"),
                "particleFile": f"wall{k}.bgeo",  # beside the scene file, and by no other path
                "translation": wall.pose[:3].tolist(),
                "rotationAxis": (vector / sine).tolist() if sine > 1e-12 else [1, 0, 0],
                "rotationAngle": 2.0 * float(np.arctan2(sine, wall.pose[3])),
                "isDynamic": False,
                "isAnimated": wall.moves,
                "isWall": False,
            }
        )
    scene = {
        "Configuration": {
            "particleRadius": radius,
            "gravitation": list(gravity),
            "simulationMethod": 4,
            "boundaryHandlingMethod": 0,
            "cflMethod": 0,
            "timeStepSize": 1e-4,
            "stopAt": 1.0,
            "DFSPH": {
                "minIterations": 2,
                "maxIterations": 100,
                "maxError": 100 * density_error,
                "maxIterationsV": 100,
                "maxErrorV": _GROWTH_ERROR,
                "enableDivergenceSolver": True,
            },
        },
        "Materials": materials,
        "RigidBodies": bodies,
        "FluidModels": fluids,
    }
    path = folder / "scene.json"
    path.write_text(json.dumps(scene))
    return path


def _write_points(path: Path, points: Floats) -> None:
    """Points with zero velocities as Houdini's BGEO, version 5: big-endian."""
    count = len(points)
    head = b"BgeoV" + np.array([5, count, 0, 0, 0, 1, 0, 0, 0], ">i4").tobytes()
    head += np.array([8], ">u2").tobytes() + b"velocity" + np.array([3], ">u2").tobytes()
    head += np.array([5, 0, 0, 0], ">i4").tobytes()
    body = np.concatenate([points, np.ones((count, 1)), np.zeros((count, 3))], axis=1).astype(">f4")
    path.write_bytes(head + body.tobytes() + b"\x00\xff")
