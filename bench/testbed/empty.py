"""The least an endpoint can be: what the product's own are measured against, behind the same server command."""

from flask import Flask


def create_app() -> Flask:
    """An application with one view, which does nothing and asks for no token."""
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/", "nothing", nothing, methods=["GET"])
    return app


def nothing() -> str:
    """The empty view."""
    return ""
