"""The long-running Spark session in a process of its own; runs and brackets snippets; result hashes."""
