"""What a screen needs, read in parallel from several services under one deadline.

Imports `views` and `services.web`'s channels. Hands out screens to `pages` and `mobile`: a part of
a screen that could not be read says why, and the others are there.
"""
