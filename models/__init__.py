"""The tables of the database: columns, constraints and indexes, without queries. Also the types of their values."""

from models.account import Account, IdempotencyKey, RevokedToken
from models.asset import Asset
from models.base import Base
from models.campaign import Campaign, CampaignStep
from models.contact import Contact
from models.email import Email, Sender, SendGroup
from models.enrollment import Enrollment
from models.event import Event, Horizon
from models.file_import import FileImport, FileImportChunk, FileImportFault
from models.form import ConsentText, Form, FormSubmission, FormViews
from models.landing_page import Page, PageVersion, PageVisitDays, PageVisits
from models.quarantine import Quarantine
from models.snapshot import Snapshot
from models.stats import EmailStats, Heartbeat
from models.suppression import Suppression
from models.template import Template, TemplateVersion
from models.template_fault import TemplateFault

__all__ = [
    "Account",
    "Asset",
    "Base",
    "Campaign",
    "CampaignStep",
    "ConsentText",
    "Contact",
    "Email",
    "EmailStats",
    "Enrollment",
    "Event",
    "FileImport",
    "FileImportChunk",
    "FileImportFault",
    "Form",
    "FormSubmission",
    "FormViews",
    "Heartbeat",
    "Horizon",
    "IdempotencyKey",
    "Page",
    "PageVersion",
    "PageVisitDays",
    "PageVisits",
    "Quarantine",
    "RevokedToken",
    "SendGroup",
    "Sender",
    "Snapshot",
    "Suppression",
    "Template",
    "TemplateFault",
    "TemplateVersion",
]
