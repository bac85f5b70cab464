"""What holds for every test."""

from hypothesis import settings

# Examples run beside whatever else a small machine does: a slow one is no fault of the code.
settings.register_profile("tradepost", deadline=None)
settings.load_profile("tradepost")
