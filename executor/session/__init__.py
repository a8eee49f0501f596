"""The child process that holds the Spark session; started as ``python -m executor.session``."""
