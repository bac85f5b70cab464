"""The development login: an OpenID Connect provider at which one chooses who one is.

May import discovery's clock and the issuer beside this folder. Hands out a process for suites and
tests: `python -m scripts.suite.login`. It asks for no password, so it listens on loopback only.
"""
