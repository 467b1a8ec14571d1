"""The addresses in one e-mail: signed for tracking, or plain in a preview and a test."""

from engine.templates import links
from engine.tracking import tokens


class SignedLinks:
    """The signed addresses of one e-mail; a link that occurs twice is signed once."""

    __slots__ = ("_public_url", "_signed", "_tokens", "pixel", "unsubscribe")

    def __init__(self, email_tokens: tokens.EmailTokens, public_url: str, *, unsubscribes: bool) -> None:
        self._tokens = email_tokens
        self._public_url = public_url
        self._signed: dict[tuple[int, str], str] = {}
        self.pixel = f"{public_url}/o/{email_tokens.opened().decode()}.gif"
        self.unsubscribe = f"{public_url}/u/{email_tokens.unsubscribe().decode()}" if unsubscribes else ""

    def clicked(self, link: int, target: str) -> str:
        """Return the tracked address, a harmless target unchanged, or "#" for an invalid target."""
        address = self._signed.get((link, target))
        if address is None:
            try:
                address = self._tracked(link, target)
            except ValueError:
                address = self._repaired(link, target)
            self._signed[link, target] = address
        return address

    def _repaired(self, link: int, target: str) -> str:
        """Return the address for a target that is not a web address in printable ASCII."""
        web = links.web_target(target)
        if web is not None:
            return self._tracked(link, web)
        return target.strip() if links.is_harmless(target) else "#"

    def _tracked(self, link: int, target: str) -> str:
        token = self._tokens.clicked(tokens.destination(link, target))
        return f"{self._public_url}/c/{token.decode()}"


class PlainLinks:
    """The addresses of an e-mail that is not tracked: its links lead straight to their targets; it has no pixel."""

    pixel = ""

    def __init__(self, unsubscribe: str) -> None:
        self.unsubscribe = unsubscribe

    def clicked(self, link: int, target: str) -> str:
        """Return the target; "#" for an invalid one, and for the hidden link."""
        if link == links.HONEYPOT:
            return "#"
        return links.web_target(target) or (target.strip() if links.is_harmless(target) else "#")
