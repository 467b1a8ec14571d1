"""Celery tasks, one module for each purpose."""
