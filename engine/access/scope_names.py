"""Names of the API's scopes."""

ALL = ("send", "send:transactional", "campaigns", "contacts", "reports", "admin")
