"""Masked HTML and MJML: tags with their places, tags that do not fit, and MJML to HTML."""
