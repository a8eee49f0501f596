import pyarrow as pa
import pyarrow.compute as pc


def run(quantity: pa.Array) -> pa.Array:
    """One more, a batch at a time, without leaving Arrow."""
    return pc.add(quantity, 1.0)
