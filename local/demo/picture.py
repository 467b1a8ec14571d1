"""The picture of the README: the demo's campaign as a terminal shows it, drawn as SVG from a real run."""

import io
import re
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text
from sqlalchemy import text

from cli.commands.campaigns.watching import Look, picture
from engine import clock
from engine.campaigns import campaigns, explain
from engine.campaigns.reports import funnel
from engine.delivery import audit
from models import vault
from models.session import transaction

_WIDTH = 92
_FONT_FACES = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)  # of another site; any monospaced font does
# The longest story: a conversion after several e-mails, if there is one.
_STORY = text("""
    SELECT c.id, c.email FROM contacts c JOIN enrollments n ON n.contact_id = c.id
     WHERE n.campaign_id = :campaign_id
       AND NOT EXISTS (SELECT FROM emails e WHERE e.enrollment_id = n.id AND e.sent_at > n.stopped_at)
     ORDER BY n.stop_reason IS NOT DISTINCT FROM 'converted' DESC, n.next_step DESC, c.id LIMIT 1
""")


def save(campaign_id: UUID, path: Path) -> None:
    """Draw the funnel, one contact's story and the audit of a campaign that has ended; write them to `path`."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    with transaction() as session:
        view = campaigns.view(session, campaign_id)
        look = Look(view, funnel.of(session, campaign_id), funnel.ahead(session, campaign_id), clock.now())
        _show(console, f"campaigns watch {view.name}", picture(look, width=_WIDTH))
        story = session.execute(_STORY, {"campaign_id": campaign_id}).one()
        [journey] = explain.why(session, story.id, now=clock.now())
    steps = [f"  step {step.step} {step.template}: {_moments(step)}" for step in journey.steps]
    address = vault.current().decrypt(story.email)
    _show(console, f"contacts explain {address}", [f"{journey.campaign}: {journey.sentence}", *steps])
    with transaction() as session:
        account = audit.run(session)
    statuses = [f"{count:>10}  {status}" for status, count in account.statuses.items()]
    clean = "clean: every e-mail is accounted for" if account.is_clean else "inconsistent"
    _show(console, "audit ledger", [*statuses, f"{account.total:>10}  accepted in all", clean])
    drawn = console.export_svg(title="Cadencia", theme=SVG_EXPORT_THEME, unique_id="cadencia")
    path.write_text(_FONT_FACES.sub("", drawn), encoding="utf-8")


def _moments(step: explain.StepTaken) -> str:
    moments = {"sent": step.sent_at, "opened": step.opened_at, "clicked": step.clicked_at}
    return ", ".join(f"{word} {moment:%d %b %H:%M}" for word, moment in moments.items() if moment)


def _show(console: Console, command: str, lines: list[str]) -> None:
    console.print(Text.assemble(("$ ", "bold green"), (f"cadencia {command}", "bold")))
    for line in lines:
        console.print(Text(line))
    console.print()
