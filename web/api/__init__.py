"""The API: one module per resource, which `create_app` registers."""
