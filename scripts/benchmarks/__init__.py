"""Measures the suite against floors that run beside it, in the same minutes on the same machine.

estimates turns samples into medians with their intervals; machine reads what the kernel counts;
half is one of the two things that are compared, a turn is some orders through one of them.
checkout takes the turns of both halves in interleaved rounds and checkout_report prints them;
suite and skeleton_cluster are the halves, skeleton and skeleton_store what runs in the floor's
processes.
"""
