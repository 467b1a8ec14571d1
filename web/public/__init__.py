"""Pages and pixels that readers of our mails reach, by signed tokens alone; those listed here are served."""

from web.public import clicks, landing, pixels, style, unsubscribing

PAGES = (pixels.pages, clicks.pages, unsubscribing.pages, style.pages, landing.pages)
