"""Reference databases in Docker containers: one per clone, made from a fixed template."""
