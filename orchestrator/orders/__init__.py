"""Order files: read, check, warn, describe by a schema, write an example."""

from orchestrator.orders.read import LoadedOrder, parse_order, read_order

__all__ = ["LoadedOrder", "parse_order", "read_order"]
