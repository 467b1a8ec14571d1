"""Contacts: addresses, imports, segments, flags and score, preferences, suppressions."""
