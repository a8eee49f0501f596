"""Handing work to who does it: in this process, or through a broker. Messages are doorbells that carry ids."""
