"""Result hashes and the judgement whether two snippets computed the same (``docs/results.md``)."""

from executor.results.comparing import same_result
from executor.results.frames import fingerprint
from executor.results.local import local_fingerprint, same_local_result

__all__ = ["fingerprint", "local_fingerprint", "same_local_result", "same_result"]
