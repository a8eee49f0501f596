"""A bubblewrap jail for processes that run code nobody vouches for."""

from executor.jail.bwrap import Jail

__all__ = ["Jail"]
