"""Reading trajectories: impacts, supports, rest. For scenes, labels and renderers; imports spec, geometry, values."""

from physreel.analysis.impacts import Bounce, ContactSpan, Impact, contact_spans, find_bounces, find_impacts
from physreel.analysis.motion import (
    Attitude,
    attitude,
    center_of_mass,
    center_of_mass_at_end,
    flight_rise_m,
    rebound_height_m,
    rest_time_s,
    up_axis,
)
from physreel.analysis.supports import SupportInterval, support_intervals, supports_at_end

__all__ = [
    "Attitude",
    "Bounce",
    "ContactSpan",
    "Impact",
    "SupportInterval",
    "attitude",
    "center_of_mass",
    "center_of_mass_at_end",
    "contact_spans",
    "find_bounces",
    "find_impacts",
    "flight_rise_m",
    "rebound_height_m",
    "rest_time_s",
    "support_intervals",
    "supports_at_end",
    "up_axis",
]
