"""The names of the faults, and the setting that says which one a version has."""

FAULT = "ROLLOUT_FAULT"
FAILING, SLOW, PAYING_TWICE = "failing", "slow", "paying-twice"
