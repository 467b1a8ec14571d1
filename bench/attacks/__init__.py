"""Slow clients: the time that others wait while the web server is attacked by them."""
