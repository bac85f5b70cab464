"""The order service: places orders, takes them through checkout, and keeps their history.

Orders are event-sourced, in streams `ord_<uuid>`. The checkout saga calls inventory and payment;
the participants of a choreographed checkout follow each other's feeds instead. The customer
summary is built from the service's own feed and from that of payment. RPCs: OrderService and
SagaAdminService.

Folders, each of which imports only from those before it: `domain`, `wire`, `store`, then `checkout`
and `summary`, then `api` and `rebuild`. `parts.py` assembles an instance, `service.py` serves it.
"""
