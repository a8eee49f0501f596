import re

NOISE = re.compile("[^a-z0-9]+")


def run(comment):
    """Lower case, runs of anything but letters and digits as one space."""
    if comment is None:
        return None
    return NOISE.sub(" ", comment.lower()).strip(" ")
