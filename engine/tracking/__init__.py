"""Signed tokens and the events they bring in; views of public pages."""
