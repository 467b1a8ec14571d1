"""Uploaded files of contacts: their content, their preview, and their import, page by page."""
