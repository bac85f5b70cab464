"""The gRPC server of a service, from listening to draining.

Imports every other folder of the chassis, because it serves what they hold. Hands out `serve`, the
description of a service (`Service`), settings, and the rules that turn exceptions into statuses.
"""
