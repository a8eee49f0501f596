"""Our own speed, as ratios against peers in one run."""
