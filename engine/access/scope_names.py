"""Names of the API's scopes."""

ADMIN = "admin"
ALL = ("send", "send:transactional", "campaigns", "contacts", "templates", "reports", ADMIN)
