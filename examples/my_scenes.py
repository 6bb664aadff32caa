"""A scene of one's own: ``physreel generate examples/my_scenes.py:Marbles -n 4 --out out/marbles``."""

from __future__ import annotations

import numpy as np
from pydantic import Field

import physreel
from physreel.spec import Body, Camera, CameraKeyframe, Microphone, Plane, Sphere, SphereLight


class MarblesOutcome(physreel.Outcome):
    """Which marble is highest when the clip ends."""

    highest: str = Field(description="the marble that is highest at the end")
    highest_m: float = Field(description="its height")


class Marbles(physreel.Scene):
    """Glass marbles are let go in a row, each from its own height, over a wooden floor."""

    name = "marbles"
    outcome_type = MarblesOutcome

    class Parameters(physreel.SceneParameters):
        """How many, and from how high."""

        marble_count: physreel.IntRange = physreel.int_range(2, 5, allowed=(1, 20), description="how many marbles")
        height_m: physreel.FloatRange = physreel.float_range(
            0.1, 0.6, allowed=(0.02, 3.0), unit="m", description="height of each marble's centre at release"
        )

    def sample(self, rng: np.random.Generator) -> physreel.SceneSpec:
        """Marbles 8 cm apart over a plane, one camera, one lamp, one microphone."""
        drawn = self.parameters.draw(rng)
        count = drawn["marble_count"]
        marbles = tuple(
            Body(
                name=f"marble_{k}",
                shape=Sphere(radius_m=0.02),
                material="glass",
                position_m=(0.08 * (k - (count - 1) / 2), 0.0, self.parameters.height_m.draw(rng)),
                label=f"marble {k + 1} from the left",
            )
            for k in range(count)
        )
        camera = Camera(
            width=self.clip.width,
            height=self.clip.height,
            keyframes=(CameraKeyframe(position_m=(0.0, -1.1, 0.35), look_at_m=(0.0, 0.0, 0.25)),),
        )
        return physreel.SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"), *marbles),
            cameras=(camera,),
            lights=(SphereLight(position_m=(-0.8, -1.2, 2.0), radius_m=0.2, intensity=(12.0, 12.0, 11.0)),),
            microphones=(Microphone(name="mono", position_m=(0.0, -1.0, 0.3)),),
            cue_s=0.1,
            parameters=drawn,
        )

    def outcome(self, spec: physreel.SceneSpec, trajectory: physreel.Trajectory) -> MarblesOutcome:
        """Read off the poses when the clip ends."""
        heights = trajectory.body_pose_end[1:, 2]
        winner = int(heights.argmax())
        return MarblesOutcome(highest=spec.bodies[1 + winner].name, highest_m=float(heights[winner]))
