"""The initializer (S1.4): the one service that holds the Docker socket. It prepares, clones and releases, by id."""
