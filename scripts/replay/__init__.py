"""Replays real grocery baskets against a suite started for it, and checks the books.

baskets (what was bought) and shoppers (who pays how) make a plan; cluster starts Consul and two
instances of each service; catalogue fills the shelves; placer places the orders; snapshot reads
everything back through the public API; books holds the equations; report prints.

Meanwhile auditor and watcher read along, and faults plans what breaks: injector breaks it when
gate has let in a portion of the visits. trading is the day on which all of this happens.
"""
