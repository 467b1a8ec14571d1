"""Routes of assets: upload, list and delete pictures."""

from engine import clock
from engine.assets import assets
from errors import Fault
from models.session import transaction
from web import process
from web.http import auth, bodies
from web.http.auth import needs
from web.http.routes import Api, Reply, refusals
from web.schemas import assets as shapes
from web.schemas.problems import examples

api = Api("assets", "/api/v1/assets", about="Pictures for e-mails and pages.")
_NO_PICTURE = "is an SVG drawing; save it as PNG, JPEG, GIF or WebP"
_REFUSED = refusals({422: examples.of_faults([Fault("file", _NO_PICTURE)], 422)})
_USED = refusals({409: "asset: it is used by email_1_roi; remove it there first"})


@api.post("", responses={201: shapes.Asset, **_REFUSED})
@needs("campaigns")
def add(raw: shapes.PictureFile, query: shapes.PictureOptions) -> Reply:  # noqa: ARG001  # read under our limits
    """Upload a picture of up to 2 MB as the body: PNG, JPEG, GIF or WebP, as its content says. Safe to repeat.

    Metadata such as the place of a photograph is left out. The same picture has one address.
    """
    data = bodies.raw(*shapes.PictureFile.mimetypes, limit="batch_limit_bytes")
    account_id, now = auth.caller().account_id, clock.now()
    with transaction() as session:
        asset = assets.add(session, data, query.name, account_id=account_id, now=now)
    return _shape(asset), 201


@api.get("", responses={200: shapes.Assets})
@needs("campaigns", "reports")
def listing(query: shapes.AssetsQuery) -> Reply:
    """List pictures, the newest first."""
    with transaction() as session:
        page = assets.page(session, before=query.before)
    following = page[-1].id if len(page) == assets.LIMIT else None
    return shapes.Assets(assets=[_shape(each) for each in page], next=following)


@api.get("/<digest>", responses={200: shapes.Asset})
@needs("campaigns", "reports")
def show(path: shapes.AssetPath) -> Reply:
    """Return one picture's address and size."""
    with transaction() as session:
        return _shape(assets.of_digest(session, path.digest))


@api.delete("/<digest>", responses={200: shapes.Removed, **_USED})
@needs("campaigns")
def remove(path: shapes.AssetPath) -> Reply:
    """Delete a picture that no template and no campaign uses. E-mails that were sent lose it, too."""
    with transaction() as session:
        assets.remove(session, path.digest, templates=process.current().settings.templates_dir)
    return shapes.Removed(digest=path.digest)


def _shape(asset: assets.StoredAsset) -> shapes.Asset:
    url = f"{process.current().settings.public_url.rstrip('/')}{asset.path}"
    return shapes.Asset(
        digest=asset.digest, url=url, width=asset.width, height=asset.height, size_bytes=asset.size_bytes,
        name=asset.name, created_at=asset.created_at,
    )  # fmt: skip
