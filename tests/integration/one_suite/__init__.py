"""The tests of a running suite that none of them breaks, so that all of them share it.

A package, because pytest ends what a package's tests share as soon as they are over.
"""
