"""Attacks by slow clients on the web server: the time that other requests take meanwhile."""
