"""Accounts, tokens and repeated requests."""
