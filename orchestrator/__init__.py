"""Reads orders, prepares reference databases, leads the stages; command line and API; wires the modes together."""
