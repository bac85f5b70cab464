"""What a request carries: fields, pages, ids, idempotency."""
