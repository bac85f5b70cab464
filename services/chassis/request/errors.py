"""Errors with which a servicer refuses a call, whatever the service.

fix the request     NotImplementedYetError
retry elsewhere     DrainingError
"""


class NotImplementedYetError(Exception):
    """The contract has this feature, but this version does not serve it."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} is not served by this version")
        self.facts = {"feature": feature}


class DrainingError(Exception):
    """The instance is stopping. The facts of a stream say where to resume it elsewhere."""

    def __init__(self, **resume: str) -> None:
        super().__init__("the instance is stopping")
        self.facts = resume
