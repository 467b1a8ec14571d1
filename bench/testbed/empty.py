"""The smallest possible endpoint, behind the same server command, as a baseline for the product's views."""

from flask import Flask


def create_app() -> Flask:
    """Return an application with one view, which does nothing and needs no token."""
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/", "nothing", nothing, methods=["GET"])
    return app


def nothing() -> str:
    """Answer nothing."""
    return ""
