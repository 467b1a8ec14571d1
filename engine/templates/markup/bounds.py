"""Refuse HTML that would cost a parser or the CSS inliner too much; neither can be interrupted."""

from engine.templates.markup import balance, tags
from engine.templates.markup.places import Places
from engine.templates.mask import Mask

PRODUCT_MAX = 50_000_000  # bytes of CSS × elements: each declaration may be copied to each element


def checked(masked: str, mask: Mask, places: Places) -> str:
    """Return the masked HTML; raise TemplateSyntaxError with the place at which it exceeds a bound."""
    try:
        balance.misfits(masked, mask)
    except balance.TooMuch as bound:
        raise places.error(str(bound), bound.at) from None
    elements = css = 0
    for tag in tags.read(masked):
        elements += tag.name != "!" and not tag.is_end
        css += len(tag.content) if tag.name == "style" else 0
    if css * elements > PRODUCT_MAX:
        raise places.error(f"{css:,} bytes of CSS are too much for {elements:,} elements", len(masked) - 1)
    return masked
