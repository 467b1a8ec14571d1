"""The naive way of sending, as a baseline: one Celery task and one SMTP connection per message, with the same text."""

import os
import smtplib
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import jinja2
from celery import Celery
from sqlalchemy import DateTime, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = Celery("naive", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, task_acks_late=True)
_engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
_TEMPLATE = Path(__file__).parents[1] / "templates" / "email_1_bench"
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATE),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
)


class Base(DeclarativeBase):
    """Base of the baseline's own table."""


class Mail(Base):
    """One e-mail of the baseline: its address and whether it was sent."""

    __tablename__ = "naive_mails"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    address: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20), default="queued")
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@app.task
def send(mail_id: str) -> None:
    """Render, connect, send, record."""
    with Session(_engine) as session:
        mail = session.get_one(Mail, uuid.UUID(mail_id))
        message = _compose(mail)
        with smtplib.SMTP("127.0.0.1", int(os.environ["NAIVE_SMTP_PORT"])) as relay:
            relay.send_message(message)
        mail.status, mail.sent_at = "sent", datetime.now(UTC)
        session.commit()


def _compose(mail: Mail) -> EmailMessage:
    variables = {
        "nombre": mail.name,
        "industria": "Logística",
        "empresa": "Transportes del Norte",
        "link_calendly": "https://cal.example/15",
        "unsubscribe_url": f"https://cadencia.example/u/{mail.id.hex}",
    }
    message = EmailMessage()
    message["From"] = "Cadencia <hola@cadencia.example>"
    message["To"] = mail.address
    message["Subject"] = _templates.get_template("subject.txt").render(variables)
    message.set_content(_templates.get_template("body.txt").render(variables))
    message.add_alternative(_templates.get_template("body.html").render(variables), subtype="html")
    return message


def prepare(count: int) -> list[str]:
    """Insert new rows for `count` e-mails and return their ids."""
    Base.metadata.drop_all(_engine)
    Base.metadata.create_all(_engine)
    with Session(_engine) as session:
        mails = [Mail(address=f"persona{number}@empresa.example", name="Ana Ruiz") for number in range(count)]
        session.add_all(mails)
        session.commit()
        return [str(mail.id) for mail in mails]
