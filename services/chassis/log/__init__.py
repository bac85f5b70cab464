"""The event log: appending facts, and waking those who wait for them."""
