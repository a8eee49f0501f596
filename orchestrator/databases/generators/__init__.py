"""What fills a reference database: one module per kind of dataset."""

from orchestrator.databases.generators.base import Generator, Loading
from orchestrator.databases.generators.registry import generator_for

__all__ = ["Generator", "Loading", "generator_for"]
