"""The Celery application for Flower: `celery -A worker.monitor flower`.

Its /metrics requires the password, too. Its page of the broker shows every queue, also one without a worker, and its
list of tasks says what each of them does. docs/operations.md explains the pages.
"""

from typing import Any

from flower.options import options
from flower.views import BaseHandler
from flower.views.monitor import Metrics
from flower.views.tasks import TASK_COLUMNS
from tornado.web import authenticated

from worker.app import app

__all__ = ["app", "options"]

# Flower's own handler answers everyone. The names of queues, tasks and hosts are for operators.
Metrics.get = authenticated(Metrics.get)


def _queue_names(handler: BaseHandler) -> list[str]:
    """Return every queue. Flower's own function returns those with a running worker, if there is any."""
    return [queue.name for queue in handler.capp.conf.task_queues]


def _explained(task: Any) -> Any:
    """Return the task with the first line of its documentation in place of its arguments, as our tasks have none."""
    documentation = getattr(app.tasks.get(task.name), "__doc__", None) or ""
    task.args = documentation.partition("\n")[0].partition(". Twice at once")[0].rstrip(".")
    return task


BaseHandler.get_active_queue_names = _queue_names
TASK_COLUMNS["args"] = "Does"
options.format_task = _explained
options.tasks_columns = "name,args,state,received,runtime,worker"
