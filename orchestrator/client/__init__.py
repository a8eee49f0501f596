"""Speaking to a service from the command line."""

from orchestrator.client.client import Client

__all__ = ["Client"]
