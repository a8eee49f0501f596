"""Row-at-a-time Python functions -> Spark SQL expressions, where both surely mean the same.

What is translated gives, wherever the Python function gives a value, the same value; where the function raises (a
None in an addition, a division by zero) the expression may give NULL or raise. Everything else is refused.
"""

from analyzer.advisors.native.query import native_query
from analyzer.advisors.native.values import Refused

__all__ = ["Refused", "native_query"]
