"""The application: every group of routes, inside the layers that hold for all of them."""

from fastapi import FastAPI

from mailer import __version__
from mailer.web import api, confirming, editions, embed, forgetting, health, instead, leaving, preferences, signup
from mailer.web.access_log import AccessLog
from mailer.web.desk import Desk
from mailer.web.errors import IN_WORDS, handle_errors
from mailer.web.hardening import Body, Client, Head, SafeHeaders, Unforeseen

ROUTERS = (
    signup.router,
    api.router,
    embed.router,
    confirming.router,
    leaving.router,
    preferences.router,
    instead.router,
    forgetting.router,
    editions.router,
    health.router,
)


def make_app(desk: Desk) -> FastAPI:
    """The pages. Handlers take `desk: AtDesk`, and read `request.state.client`."""
    web = desk.parts.settings.web
    app = FastAPI(
        title=desk.parts.settings.site.name,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to an address made from the visitor's Host field
        responses=IN_WORDS,
        # It would send paths, and tokens with them, to whatever the environment names.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.desk = desk
    for router in ROUTERS:
        app.include_router(router)
    handle_errors(app)
    # The last one added is the outermost.
    app.add_middleware(Body)
    app.add_middleware(Unforeseen)
    app.add_middleware(AccessLog)
    app.add_middleware(Client, trusted=web.trusted_proxies)
    app.add_middleware(Head)
    app.add_middleware(SafeHeaders)
    return app
