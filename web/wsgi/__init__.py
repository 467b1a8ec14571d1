"""WSGI middleware in front of Flask: the caller's address, and the bodies of public routes."""
