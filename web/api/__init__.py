"""The API: one module per resource; those listed here are served."""

from web.api import campaigns, contacts, emails, events, tokens

RESOURCES = (tokens.api, emails.api, events.api, campaigns.api, contacts.api)
