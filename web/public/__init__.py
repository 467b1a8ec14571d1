"""Public pages, which readers of our e-mails reach by signed tokens, without a login; `create_app` registers them."""
