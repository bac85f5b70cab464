"""Shipping: the image of all programs, made of Debian's packages and the locked ones.

Imports scripts.tools alone, and the standard library. Hands out the image with its root filesystem,
the programs that build and run it, and those that check what `deploy/` has.
"""
