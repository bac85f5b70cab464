"""What the client stacks call: instances of one small service, and a proxy in front of them.

May import scripts.suite, scripts.tools and the chassis. Hands out a running fleet of instances that
can be told how to behave, and an Envoy that forwards to them.
"""
