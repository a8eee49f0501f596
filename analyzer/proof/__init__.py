"""Proof: what a suggestion must pass before anybody believes it, and how its verdict is reached (design, section 8).

Planned and judged here, without a session or a database; run by ``orchestrator.proving``.
"""
