"""The lake's tables: schemas, and reading them without a JVM. Writing is the analyzer's (``analyzer.landing``)."""
