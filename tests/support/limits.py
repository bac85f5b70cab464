"""The limit after which a test that waits for something fails."""

# Far above what a busy machine needs: a test that passes never waits for it to end.
WAIT_S = 240.0
