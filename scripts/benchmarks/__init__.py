"""Measures the suite against a floor that runs beside it, in the same minutes on the same machine.

estimates turns samples into medians with their intervals, machine reads what the kernel counts.
A half is one of the two things that are compared, a turn is some orders through it. suite is one
half, on as many stored_orders as are asked for; skeleton_cluster is the other, with skeleton and
skeleton_store in its processes. checkout has the halves take turns, checkout_report prints them.
coordination has orchestration and choreography take turns in one suite, with counters and feeds'
lag beside them; coordination_report prints them, and remarks say what to know of any run.
"""
