"""Scoring: how likely a contact is to become a customer."""
