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

SEEN_PARTICLES = 3
"""Liquid that runs over or out begins to count with this many particles: fewer are a drop that jumps."""

FREE_FALL_SHARE = 0.6
"""Liquid is in the air where its acceleration differs from gravity by less than this share of it; at rest by all."""

FALLING_SPEED_M_S = 0.25
"""Liquid outside all vessels that comes down faster is on its way, not spilled yet: it is in the air, or runs down."""

HEAP_SPACINGS = 1.5
"""Liquid that stands over a rim by up to this many particle spacings, and does not fly, still belongs to the vessel."""

FULL_SHARE = 0.85
"""A vessel overflows once it is filled to this share of its depth or capacity; what leaves it before has splashed."""

OVERFLOW_SHARE = 0.004
"""It overflows if at least this share of its capacity, and ``SEEN_PARTICLES``, run out from then on."""

EMPTY_SHARE = 0.03
"""A vessel is empty when it holds less than this share of the most it held: a film, or a few drops."""

WET_SPACINGS = 0.8
"""Liquid touches a body when three of its particles are within this many spacings of it; at rest they stand at 0.5."""

BOTTOM_SPACINGS = 1.4
"""A body lies on a vessel's bottom when its lowest point is within this many particle spacings of it: one layer of
particles may be caught below."""

SUNK_SPEED_M_S = 0.05
"""What lies under the surface on other bodies has sunk when it is slower."""

AFLOAT_S = 0.3
"""A body floats, or has sunk, when it has done so for the last of this time."""

TURNING_RAD_S = 0.05
"""A shaft turns when it is faster: 3° a second, which is seen within a second on a wheel of some size."""

MOVED_RAD = 0.02
"""It has begun to when it has turned by so much, a degree: less is play."""

JAM_S = 0.2
"""A machine that stands has stopped when it has stood for so long."""
