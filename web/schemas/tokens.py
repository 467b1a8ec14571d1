"""Models of login, refresh and logout."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from web.schemas.shapes import Input, Output

Text = Annotated[str, Field(min_length=1, max_length=1_024)]


class Login(Input):
    """The name and password of an account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"account": "web-shop", "password": "a long password"}]})

    account: Text
    password: Text


class RefreshHeaders(BaseModel):
    """Headers of an exchange of tokens."""

    idempotency_key: str = Field(
        "",
        alias="Idempotency-Key",
        description="1 to 255 printable characters. A repetition within a minute gets the same refresh token.",
    )


class TokenPair(Output):
    """An access token, and a refresh token that is exchanged once for the next pair."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 86400, "refresh_token": "eyJ…"},
            ]
        }
    )

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # the name of a scheme
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str


class Done(Output):
    """Confirmation."""

    status: str = "success"
