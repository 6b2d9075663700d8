"""What a finished episode's signals come to: plain sums, gates, potentials, attributed progress."""

from shaping.accumulation.direct import Direct
from shaping.accumulation.gated import Gated
from shaping.accumulation.outcome_only import OutcomeOnly
from shaping.accumulation.signal_potential import SignalPotential
from shaping.accumulation.step_progress import StepProgress

__all__ = ["Direct", "Gated", "OutcomeOnly", "SignalPotential", "StepProgress"]
