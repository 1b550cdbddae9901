"""Words that a user typed stay where they belong in the API's paths."""

from collections.abc import Callable

import httpx
import pytest

from broker.client import Client, NotFoundError, RefusedError, ServiceError
from broker.errors import InvalidFieldError

Asking = Callable[[Client], object]


class Api:
    """Knows nothing, and remembers what it was asked for."""

    def __init__(self, status: int = 404) -> None:
        self.asked: list[str] = []
        self.client = Client("http://weir.test", "hush", http=httpx.MockTransport(self._answer))
        self._status = status

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        return httpx.Response(self._status)


@pytest.mark.parametrize(
    ("ask", "path"),
    [
        (lambda c: c.tokens.create("windco#", name="n"), "/v1/organisations/windco%23/tokens"),
        (
            lambda c: c.accounts.renew_password("windco", "edge?a"),
            "/v1/organisations/windco/accounts/edge%3Fa/password",
        ),
        (lambda c: c.organisations.get("?x=1"), "/v1/organisations/%3Fx%3D1"),
        (lambda c: c.invoices.get("a b%2F"), "/v1/invoices/a%20b%252F"),
        (lambda c: c.products.get("windco/a#b"), "/v1/products/windco/a%23b"),
        (lambda c: c.catalogue.get("wind?co/a"), "/v1/catalogue/wind%3Fco/a"),
        (lambda c: c.plans.version("windco/a?", 1), "/v1/plans/windco/a%3F/versions/1"),
        (lambda c: c.subscriptions.cutover("gridco/a#"), "/v1/subscriptions/gridco/a%23/cutover"),
    ],
)
def test_word_is_quoted(ask: Asking, path: str) -> None:
    """What has a meaning in a URL arrives as what was typed."""
    api = Api()

    with pytest.raises(NotFoundError):
        ask(api.client)

    assert [one.partition(" ")[2] for one in api.asked] == [path]


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.invoices.get(""),
        lambda c: c.invoices.get("../x"),
        lambda c: c.invoices.get(".."),
        lambda c: c.invoices.get("a/rating"),
        lambda c: list(c.accounts.list("")),
        lambda c: c.accounts.delete("windco", "../tokens"),
        lambda c: c.tokens.revoke("windco", "."),
        lambda c: c.products.get("windco"),
        lambda c: c.products.get("windco/../x"),
        lambda c: c.plans.get("windco/.."),
        lambda c: list(c.subscriptions.history("/x")),
    ],
)
def test_word_that_leads_elsewhere_is_refused(ask: Asking) -> None:
    """Nothing, dots and slashes are refused by the word's name, and the API is not asked."""
    api = Api()

    with pytest.raises(InvalidFieldError, match=r"^(invoice|organisation|account|token|p|s)"):
        ask(api.client)

    assert api.asked == []


@pytest.mark.parametrize(("status", "kind"), [(307, ServiceError), (405, RefusedError)])
def test_foreign_answer_says_what_to_do(status: int, kind: type[Exception]) -> None:
    """An answer that is no problem of the API's names the place asked, and the setting."""
    api = Api(status)

    with pytest.raises(kind, match=rf"^/v1/me was answered {status}: .*WEIR_API_URL"):
        api.client.me()
