"""Where "touching", "a blow", "in the air" and "at rest" begin.

One place, so that outcomes, events and questions agree. All are limits of perception or of the picture, not of an
engine: what lies below them is in the trajectory, but nobody who sees and hears the clip could tell.
"""

from __future__ import annotations

IMPACT_SPEED_M_S = 0.05
"""Slower meetings are no impacts: a drop of 0.13 mm. Resting contact shows about g · step = 0.008 m/s at 1200 Hz."""

IMPACT_GAP_S = 0.010
"""Blows of one pair closer than this are one: the ear fuses clicks less than about 10 ms apart."""

IMPACT_LENGTH_S = 0.020
"""A blow's impulse is summed for at most this long; what follows is weight. Engines' contacts last some 6 ms."""

FLIGHT_S = 0.040
"""Shorter gaps between contacts are not seen as flight: a hop of g t² / 8 = 2 mm, one frame at 24 frames/s."""

CARRIED_S = 0.100
"""Contact from below for at least this long is support; shorter and between two flights it is a bounce."""

UPWARD_SHARE = 0.2
"""A contact carries if its force on the body points at least this much up (cosine): within 78° of vertical."""

WEIGHT_SHARE = 0.1
"""A support at the end bears at least this share of the body's weight; less is a body that merely leans on it."""

REST_SPEED_M_S = 0.02
"""At rest: centre and farthest point slower than this; half a pixel a frame where 1 m fills 600 pixels."""
