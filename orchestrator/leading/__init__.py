"""Leading a task: prepare, run, watch, record, whatever dies on the way."""
