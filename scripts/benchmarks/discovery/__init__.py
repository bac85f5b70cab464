"""Measures `discovery` beside the stacks that grpc.aio has itself, on the same instances.

contract is what is called, server one instance of it, fleet some instances in processes of their
own, envoy the proxy that most put in between. stacks are the clients that are compared, load makes
calls through one, interleaved has several take turns, under_load has them go on while instances are
lost. measuring is what every measurement gets, row what it answers, table prints rows. The
measurements themselves, listed in rows: costs, slow, failing, losing, draining, overload, picking,
churning (with churner) and memory (with holder, both as programs).
"""
