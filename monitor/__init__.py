"""Two threads: reader -> bounded queue -> writer; sources of resource use."""
