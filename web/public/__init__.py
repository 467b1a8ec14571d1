"""Pages and pixels that readers of our mails reach, by signed tokens alone; those listed here are served."""

from web.public import assets, clicks, pixels, unsubscribing

PAGES = (pixels.pages, clicks.pages, unsubscribing.pages, assets.pages)
