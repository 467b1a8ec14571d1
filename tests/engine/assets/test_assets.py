"""Assets: the same picture once, listed by page, removed only if nothing uses it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from engine.assets import assets
from errors import Conflict, NotFound
from models.session import transaction
from tests import sequence
from tests.engine.assets import samples
from tests.engine.landing import drafts
from tests.sends import NOW


def add(octets: bytes, name: str = "logo.png") -> assets.StoredAsset:
    with transaction() as session:
        return assets.add(session, octets, name, account_id=None, now=NOW)


def test_the_same_picture_is_one_asset_with_one_address(ledger: str) -> None:
    first = add(samples.png(), "C:\\fotos\\logo\x00.png")
    assert add(samples.png(), "otra.png") == first
    assert (first.name, first.width, first.height) == ("logo.png", 4, 2)
    assert first.path == f"/a/{first.digest}.png" and len(first.digest) == 40
    with transaction() as session:
        assert assets.content(session, first.digest, "png").startswith(b"\x89PNG")
        for digest, extension in ((first.digest, "gif"), ("0" * 40, "png"), ("\0", "png"), ("x" * 999, "png")):
            with pytest.raises(NotFound):
                assets.content(session, digest, extension)


def test_the_list_has_the_newest_first_and_goes_on_by_key(ledger: str) -> None:
    made = [add(samples.png(1, height)).digest for height in range(1, 6)]
    with transaction() as session:
        first = assets.page(session, limit=3)
        rest = assets.page(session, before=first[-1].id, limit=3)
    assert [each.digest for each in (*first, *rest)] == made[::-1]


def test_a_picture_in_use_is_not_deleted(ledger: str, tmp_path: Path) -> None:
    one, other, third = add(samples.png(1, 1)), add(samples.png(1, 2)), add(samples.png(1, 3))
    shown = add(samples.png(1, 4))
    (tmp_path / "carta").mkdir()
    (tmp_path / "carta" / "body.html").write_text(f'<img src="https://correo.example{one.path}">')
    with transaction() as session:
        campaign_id = sequence.create(session)
        values = {"id": campaign_id, "variables": f'{{"foto": "https://correo.example{other.path}"}}'}
        session.execute(
            text("UPDATE campaigns SET name = 'Otoño', variables = CAST(:variables AS jsonb) WHERE id = :id"), values
        )
        picture = {"kind": "picture", "picture": shown.path, "alt": drafts.both("Una curva")}
        drafts.create(session, "pagina", blocks=[picture])
    for asset, name in ((one, "carta"), (other, "Otoño"), (shown, "pagina")):
        with transaction() as session, pytest.raises(Conflict) as refused:
            assets.remove(session, asset.digest, templates=tmp_path)
        assert name in str(refused.value)
    with transaction() as session:
        assets.remove(session, third.digest, templates=tmp_path)
    with transaction() as session, pytest.raises(NotFound):
        assets.remove(session, third.digest, templates=tmp_path)
