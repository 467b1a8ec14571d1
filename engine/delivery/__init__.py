"""Delivery: the outbox, claiming and settling e-mails, recovery after crashes, relays and the SMTP client."""
