"""Shared by all pages: sessions in cookies, layout, languages, charts, forms, static files."""
