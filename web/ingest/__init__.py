"""Ingestion that answers the reader: hits are synced to disk together, then answered, then stored."""
