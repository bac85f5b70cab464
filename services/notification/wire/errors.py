"""The status of each exception that only this service raises: there are none.

ListNotifications raises the chassis' exceptions only; their statuses are the chassis' own.
"""

from types import MappingProxyType

from services.chassis.server.error_rules import Errors

ERRORS: Errors = MappingProxyType({})
