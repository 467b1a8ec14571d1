"""The brand: who writes, as e-mails and readers' pages show it, with colours that can be read."""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr

from settings import Settings

_WHITE, _BLACK = "#ffffff", "#000000"
_LIGHT_PAGE, _DARK_CARD = "#eef1f4", "#1b232c"  # the backgrounds of text in email_templates/_layout.html
CONTRAST_MIN = 4.5  # of text and its background, WCAG 2.2 section 1.4.3
_STEPS = 40  # from black to white


@dataclass(frozen=True, slots=True)
class Brand:
    """Name, postal address, support address, colour (`#rrggbb`) and logo of the sender; a text is empty if unknown."""

    name: str = ""
    address: str = ""
    support: str = ""
    color: str = "#0b6b62"
    logo_url: str = ""

    @property
    def link_color(self) -> str:
        """The colour, darkened so far that text in it can be read on a light page."""
        return readable(self.color, on=_LIGHT_PAGE, step=-1)

    @property
    def dark_color(self) -> str:
        """The colour, lightened so far that text in it can be read on a dark page."""
        return readable(self.color, on=_DARK_CARD, step=1)

    @property
    def logo_origin(self) -> str:
        """Scheme and host of the logo."""
        return "/".join(self.logo_url.split("/")[:3])

    @staticmethod
    def text_on(background: str) -> str:
        """Return white or black, whichever can be read better on this background."""
        return max(_WHITE, _BLACK, key=lambda color: contrast(color, background))

    def variables(self) -> Mapping[str, str]:
        """Return the variables that every template may use, by name."""
        return {
            "brand_name": self.name,
            "brand_address": self.address,
            "brand_support": self.support,
            "brand_logo_url": self.logo_url,
            "brand_color": self.color,
            "brand_on_color": self.text_on(self.color),
            "brand_link_color": self.link_color,
            "brand_dark_color": self.dark_color,
            "brand_on_dark_color": self.text_on(self.dark_color),
        }


NONE = Brand()


def of(configured: Settings) -> Brand:
    """Return the brand in the settings; without BRAND_NAME its name is that of MAIL_FROM, or its domain."""
    name, address = parseaddr(configured.mail_from)
    return Brand(
        name=configured.brand_name or name or address.rpartition("@")[2],
        address=configured.brand_address or "",
        support=parseaddr(configured.brand_support or "")[1],
        color=configured.brand_color,
        logo_url=configured.brand_logo_url or "",
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(color: str, *, on: str, step: int) -> str:
    """Return the colour, lighter or darker by as many steps as it takes to be read on this background."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
    while contrast(color, on) < CONTRAST_MIN:
        lightness = min(max(lightness + step / _STEPS, 0), 1)
        color = _written(*colorsys.hls_to_rgb(hue, lightness, saturation))
    return color


def _luminance(color: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _channels(color)]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(color: str) -> tuple[float, float, float]:
    """Return red, green and blue, each from 0 to 1."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _written(*channels: float) -> str:
    return "#" + "".join(f"{round(value * 255):02x}" for value in channels)
