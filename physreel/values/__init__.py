"""The values that flow between the stages: read-only, engine-free. Imports spec only."""

from physreel.values.clip import PASSES, SAMPLE_RATE_HZ, Audio, Clip, View
from physreel.values.liquids import LiquidImpacts, LiquidTrack
from physreel.values.machines import Break, KnockTable
from physreel.values.sample import Event, Outcome, Provenance, Question, Sample, SoundEvent
from physreel.values.trajectory import ContactTable, Signal, Trajectory

__all__ = [
    "PASSES",
    "SAMPLE_RATE_HZ",
    "Audio",
    "Break",
    "Clip",
    "ContactTable",
    "Event",
    "KnockTable",
    "LiquidImpacts",
    "LiquidTrack",
    "Outcome",
    "Provenance",
    "Question",
    "Sample",
    "Signal",
    "SoundEvent",
    "Trajectory",
    "View",
]
