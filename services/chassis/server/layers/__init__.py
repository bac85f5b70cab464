"""The layers that each call passes before it reaches a servicer.

Imports the server's errors and settings, `request` and telemetry. Hands out the stack, a gRPC
interceptor; `stack.py` lists the layers in order and says why.
"""
