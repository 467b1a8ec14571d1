"""Durable ingestion: the spool files, and turning their entries into events and consent changes."""
