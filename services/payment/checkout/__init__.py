"""Payment's part in a choreographed checkout."""
