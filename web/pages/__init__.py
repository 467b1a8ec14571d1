"""Pages for our own users, after signing in: /app.

One module per page, each with one engine call and one template; `menu` lists them, and `frame/` is what they share.
"""

from web.pages.frame.sessions import changes, needs

__all__ = ["changes", "needs"]
