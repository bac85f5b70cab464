"""Pending work: leased rows, the driver that finishes them."""
