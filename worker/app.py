"""The Celery application: `celery -A worker worker …`, `celery -A worker beat`, `celery -A worker flower`."""

from celery import Celery

app = Celery("cadencia", include=[f"worker.tasks.{room}" for room in ("sending", "followups", "events", "upkeep")])
app.config_from_object("celery_config")
