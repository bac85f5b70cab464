"""The tests of the pages in a real browser, which share one secure suite.

A package, because pytest ends what a package's tests share as soon as they are over.
"""
