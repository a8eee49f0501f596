import pandas as pd


def run(comment: pd.Series) -> pd.Series:
    """Lower case, runs of anything but letters and digits as one space."""
    return comment.str.lower().str.replace("[^a-z0-9]+", " ", regex=True).str.strip(" ")
