"""Pictures by the pages, the API and the command line, and at their public address."""

from io import BytesIO
from typing import Any

from flask.testing import FlaskClient

from tests.engine.assets import samples
from tests.web.examples import fields
from tests.web.pages import visitors

LIST = "/app/pictures"
API = "/api/v1/assets"


def upload(client: FlaskClient, data: bytes, name: str = "logo.png") -> Any:
    form = {"csrf_token": visitors.token(client.get(LIST)), "file": (BytesIO(data), name)}
    return client.post(LIST, data=form, content_type="multipart/form-data")


def test_a_picture_is_uploaded_shown_served_and_deleted(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "campaigns", path=LIST)
    path = upload(client, samples.JPEG, "<b>oficina.png").location
    page = client.get(path)
    assert "&lt;b&gt;oficina.png" in page.text and "<b>" not in page.text
    public = page.text.partition('class="shown" src="')[2].partition('"')[0]
    answer = client.get(public)
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (
        answer.headers["X-Content-Type-Options"] == "nosniff"
        and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    )
    assert b"Camara" not in answer.data
    again = client.get(public, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.head(public).status_code == 200
    assert {client.get(other).status_code for other in (f"{public}x", f"/a/{'0' * 40}.jpg", "/a/x.svg")} == {404}
    assert client.post(f"{path}/delete", data={"csrf_token": visitors.token(page)}).location == LIST
    assert client.get(path).status_code == 404


def test_a_file_that_is_no_picture_is_refused_in_the_readers_language(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "campaigns", path=LIST)
    for data, words in (
        (b"<svg/>", "un dibujo SVG"),
        (samples.JPEG[:200], "termina antes de tiempo"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2_000_001), "2 MB"),
        (bytes(9_000_000), "2 MB"),
    ):
        answer = upload(client, data)
        assert answer.status_code == (413 if len(data) > 8_000_000 else 422) and words in answer.text, words
    assert client.get(f"{LIST}?fault=size").status_code == 413
    nothing = client.post(LIST, data={"csrf_token": visitors.token(client.get(LIST))})
    assert nothing.status_code == 422


def test_pictures_by_the_api(client: FlaskClient, bearer: Any) -> None:
    headers = bearer("campaigns")
    made = client.post(f"{API}?name=logo.gif", data=samples.GIF, headers=headers | {"Content-Type": "image/gif"})
    assert (made.status_code, made.json["width"], made.json["name"]) == (201, 4, "logo.gif")
    assert made.json["url"].endswith(f"/a/{made.json['digest']}.gif")
    wrong = client.post(API, data=b"<svg/>", headers=headers | {"Content-Type": "image/png"})
    assert (wrong.status_code, fields(wrong)) == (422, {"file"})
    assert client.post(API, data=b"<svg/>", headers=headers | {"Content-Type": "image/svg+xml"}).status_code == 415
    assert client.post(API, data=samples.GIF, headers=bearer("reports")).status_code == 403
    one = f"{API}/{made.json['digest']}"
    assert client.get(one, headers=bearer("reports")).json == made.json
    assert client.get(API, headers=headers).json == {"assets": [made.json], "next": None}
    assert client.delete(one, headers=headers).json == {"digest": made.json["digest"]}
    assert client.delete(one, headers=headers).status_code == 404
