"""Cumulative use of targets: read around each run by the executor, streamed by the monitor."""
