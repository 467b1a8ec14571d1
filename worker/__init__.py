"""Celery in, engine out: tasks open transactions and order calls; decisions live in the engine."""

from worker.app import app

__all__ = ["app"]
