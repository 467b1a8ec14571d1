"""Contacts, imports and suppressions."""
