"""The faults of a replay: what breaks, and when.

May import scripts.suite, and the replay's gate and observations. fault_plan decides by seed,
fault_injector carries it out, and consumer_rewinder rewinds the consumers of a suite.
"""
