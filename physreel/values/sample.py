"""Sample: a clip with everything that is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from physreel.spec import SceneSpec

if TYPE_CHECKING:
    from physreel.values.clip import Clip
    from physreel.values.trajectory import Trajectory


class Outcome(BaseModel):
    """Base of every scene's outcome: a flat or nested record of plain types that becomes a struct column.

    Fields may be bool, int, float, str, None unions of these, lists of these, and nested Outcome models.
    A field's description is its documentation; names carry units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Event(_Record):
    """Something that happened, read off the trajectory.

    ``kind`` is one of: first_contact (two bodies touch for the first time), bounce (a body leaves what it hit and was
    free before and after), leave_support (a body goes off what carried it), rest (a body has come to rest for good);
    of liquids first_drop (some leaves a vessel that held it), liquid_contact (the first comes through the air to a
    body), overflow_begins (a vessel runs over), vessel_empty (for good), splash (a body enters liquid), floats, sinks
    (a body has come to float, or to lie on a bottom); of machines first_motion (a shaft begins to turn), jam (a motor
    pushes and its shaft stands for good), tooth_lost, slip_begins (a belt slides on its pulleys), knocking_begins (of a
    bearing); or a scene's own. ``bodies`` starts with the body the event is about. Speed is that of approach (contacts)
    or of the body (others).
    """

    time_s: float
    kind: str
    bodies: tuple[str, ...]
    position_m: tuple[float, float, float]
    speed_m_s: float
    impulse_n_s: float


class SoundEvent(_Record):
    """A sound's cause: when it left its source, when it reached the first microphone, and what it was like there."""

    time_s: float
    heard_s: float
    kind: str
    bodies: tuple[str, ...]
    dominant_hz: float
    peak_pa: float


class Question(_Record):
    """A question about the clip, with its answer from the trajectory.

    ``kind`` groups questions of one form. ``answer_type`` says how to read ``answer``: yes_no ("yes", "no"), count
    ("3"), time_s ("0.84"), choice (one of ``choices``). ``needs`` says what must be perceived to know.
    """

    kind: str
    question: str
    answer: str
    answer_type: Literal["yes_no", "count", "time_s", "choice"]
    choices: tuple[str, ...] = ()
    needs: Literal["picture", "sound", "either", "both"] = "picture"


class Provenance(_Record):
    """Where a sample comes from: enough to make it again."""

    seed: Annotated[int, Field(ge=0)]
    index: Annotated[int, Field(ge=0)]
    scene: str
    scene_version: int
    simulator: str
    video_renderer: str
    audio_renderer: str
    physreel_version: str
    library_versions: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Everything about one simulated clip. ``group_id`` is shared by siblings that must not be split apart."""

    sample_id: str
    group_id: str
    variant: str
    split: str
    domains: tuple[str, ...]
    spec: SceneSpec
    trajectory: Trajectory
    clip: Clip
    events: tuple[Event, ...]
    outcome: Outcome
    caption: str
    questions: tuple[Question, ...]
    provenance: Provenance
