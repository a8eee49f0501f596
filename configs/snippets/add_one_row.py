def run(quantity):
    """One more, a row at a time."""
    return quantity + 1.0
