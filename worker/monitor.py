"""The Celery application for Flower: `celery -A worker.monitor flower`; its /metrics requires the password, too."""

from flower.views.monitor import Metrics
from tornado.web import authenticated

from worker.app import app

__all__ = ["app"]

# Flower's own handler answers everyone. The names of queues, tasks and hosts are for operators.
Metrics.get = authenticated(Metrics.get)
