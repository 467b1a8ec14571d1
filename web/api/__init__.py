"""The API: one module per resource; those listed here are served."""

from web.api import emails, events, tokens

RESOURCES = (tokens.api, emails.api, events.api)
