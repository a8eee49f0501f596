"""Executing what nobody vouches for, so that its time and its result can be believed (decision 0121)."""

from executor.proving.facts import ProofRun, Sandbox, WrittenResult
from executor.proving.judge import Judge
from executor.proving.session import ProofSession

__all__ = ["Judge", "ProofRun", "ProofSession", "Sandbox", "WrittenResult"]
