"""Celery workers: tasks open transactions and call the engine, which makes the decisions."""

from worker.app import app

__all__ = ["app"]
