"""Messages of mail servers, whose own words may follow in parentheses, and of hosts."""

gettext_noop = str  # it marks a text for translation, as in GNU gettext

MESSAGES = (
    gettext_noop("mail relay %(name)s unavailable"),
    gettext_noop("its name does not resolve"),
    gettext_noop("no connection"),
    gettext_noop("no answer in time"),
    gettext_noop("it closed the connection"),
    gettext_noop("it refused the connection"),
    gettext_noop("it refused EHLO"),
    gettext_noop("TLS is required but not offered"),
    gettext_noop("TLS failed"),
    gettext_noop("its certificate was not accepted"),
    gettext_noop("it refused the credentials"),
    gettext_noop("credentials may not be sent in clear"),
    gettext_noop("its sender died and left no recorder"),
    gettext_noop("its sender died before the server's reply"),
    gettext_noop("it does not speak SMTP"),
    gettext_noop("it refuses our mail"),
    gettext_noop("it takes no mail from us for now"),
    gettext_noop("it failed a moment ago"),
    gettext_noop("the relay takes no 8-bit body"),
    gettext_noop("template unusable on this host"),
    gettext_noop("no e-mail can be composed"),
    gettext_noop("no key in FERNET_KEYS of this host decrypts its address or its variables"),
)
