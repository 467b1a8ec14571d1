"""Public pages: what readers of our e-mails reach by signed tokens, without a login."""

from web.public import assets, clicks, pixels, unsubscribing

PAGES = (pixels.pages, clicks.pages, unsubscribing.pages, assets.pages)
