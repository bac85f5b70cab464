"""Measures the suite against a floor that runs beside it, in the same minutes on the same machine.

estimates turns samples into medians with their intervals, machine reads what the kernel counts.
A half is one of the things that are compared, a turn is some orders through it; comparison has
halves take turns. suite is our half, on as many stored_orders as are asked for, which stored_forms
and stored_tables make; skeleton_cluster is the floor, with skeleton and skeleton_store in its
processes; peers are others' engines, with a peer_ program each. checkout says who is compared with
whom, report prints it and gathers rows in a file.
coordination has orchestration and choreography take turns in one suite, with counters and feeds'
lag beside them; coordination_report prints them, and remarks say what to know of any run.
"""
