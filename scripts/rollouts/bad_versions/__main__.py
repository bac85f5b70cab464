"""`python -m scripts.rollouts.bad_versions` serves orders, with the fault of ROLLOUT_FAULT."""

import os
import random

from discovery.clock import SystemClock
from scripts.rollouts.bad_versions import double_payments
from scripts.rollouts.bad_versions.failing_calls import failing
from scripts.rollouts.bad_versions.faults import FAILING, FAULT, PAYING_TWICE, SLOW
from scripts.rollouts.bad_versions.slow_calls import slow
from scripts.rollouts.bad_versions.wrapped_service import run_order_service, unchanged
from scripts.rollouts.calling.usual_latency import USUAL_LATENCY_S

if __name__ == "__main__":
    rng, clock = random.Random(), SystemClock()
    usual_s = float(os.environ[USUAL_LATENCY_S])
    fault = os.environ[FAULT]
    if fault == PAYING_TWICE:
        double_payments.install(rng)
    run_order_service(
        {
            FAILING: lambda inner: failing(inner, rng),
            SLOW: lambda inner: slow(inner, usual_s, clock),
            PAYING_TWICE: unchanged,
        }[fault]
    )
