"""Replays real grocery baskets against a suite started for it, and checks the books.

baskets (what was bought) and shoppers (who pays how) make a plan; cluster starts Consul and two
instances of each service; catalogue fills the shelves; till places the orders; census reads
everything back through the public API; books holds the equations; report prints.

Meanwhile auditor and follower read along, and faults plans what breaks: saboteur breaks it when
turnstile has let in a portion of the visits. trading is the day on which all of this happens.
"""
