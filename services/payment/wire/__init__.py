"""Messages to domain values and back; exceptions to statuses."""
