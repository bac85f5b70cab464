"""The programs of a suite in containers, of the image that is shipped.

May import scripts.tools and the slots beside it. Hands out what `./scripts/run --containers` puts
in the place of the checkout's own programs.
"""
