"""Secrets are masked where they stand, and nothing else is."""

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import MASK, Secret, UrlPath
from jairouter_cli.config.masking import concealed, is_mask_of, masked_diff, masked_text, secret_variables, shown_path
from jairouter_cli.config.model import Instance, ModelSection, ServiceType
from jairouter_cli.config.ops import instances
from jairouter_cli.config.ops.values import set_text
from jairouter_cli.config.parse import parse
from jairouter_cli.config.view import plain
from jairouter_cli.errors import EditRefused

FILE = """\
# api-key: sk-an-old-one
server: {port: 8080, admin-token: "0"}
jwt: {secret: x1, issuer: me}
state: redis://:pw@h
model:
  services:
    chat:
      instances:
        - name: m # long-enough-secret is its key
          base-url: http://h
          path: /v1/chat?key=abc&api-version=2
          api-key: long-enough-secret
          headers: {X-Tenant: "0", X-Flag: "${FLAG:1}"}
          weight: 10
        - &second
          name: n
          base-url: http://user:pw@h/?token=t
          api-key: |
            two
            lines
        - <<: *second
          api-key: 0123
"""

NUMBERS = ("0123", "0x1F", "0o17", "0b11", "1e5", "1_000", "1.10", "+5", "-0", ".inf", "12:30:45", "2024-13-01")
OTHERS = ("null", "~", "yes", "no", "on", "true", "[a", "{a", "a #b", "a: b", "- a", "*a", "&a", "!a", "%a", "@a", "'a")


def test_a_text_without_its_secrets() -> None:
    """By their place: a secret of one character masks no other one; line by line, so that a text can be compared."""
    assert (
        masked_text(Document.load(FILE, "x"))
        == f"""\
# api-key: {MASK}
server: {{port: 8080, admin-token: {MASK}}}
jwt: {{secret: {MASK}, issuer: me}}
state: {MASK}
model:
  services:
    chat:
      instances:
        - name: m # {MASK} is its key
          base-url: http://h
          path: /v1/chat?key={MASK}&api-version=2
          api-key: {MASK}
          headers: {{X-Tenant: {MASK}, X-Flag: {MASK}}}
          weight: 10
        - &second
          name: n
          base-url: http://{MASK}@h/?token={MASK}
          api-key: {MASK}
{MASK}
{MASK}
        - <<: *second
          api-key: {MASK}
"""
    )


def test_a_changed_secret_is_a_changed_line() -> None:
    """That a key was changed is said, but neither key."""
    before, after = ("server:\n  port: 1\n  admin-token: 0x1F\n", "server:\n  port: 1\n  admin-token: 0x2F\n")
    assert (
        masked_diff(before, after, ("a", "b"))
        == f"""\
--- a
+++ b
@@ -1,3 +1,3 @@
 server:
   port: 1
-  admin-token: {MASK}
+  admin-token: {MASK}"""
    )


def test_variables_that_hold_secrets() -> None:
    """Whatever they are called."""
    text = FILE.replace('"0"}\njwt', '"a${MARK}b"}\njwt').replace("name: m", "name: ${NAME}")
    assert secret_variables(Document.load(text, "x")) == {"MARK", "FLAG"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1?key=abc", f"/v1?key={MASK}"),
        ("/v1?api-version=2024-10-21&code=x", f"/v1?api-version=2024-10-21&code={MASK}"),
        ("/accounts/0a1b2c3d4e5f60718293a4b5c6d7e8f9/v1", f"/accounts/{MASK}/v1"),
        ("/sk-abc/v1", f"/{MASK}/v1"),
        ("http://u:p@h:80/v1", f"http://{MASK}@h:80/v1"),
        (
            "/openai/deployments/text-embedding-ada-002/embeddings",
            "/openai/deployments/text-embedding-ada-002/embeddings",
        ),
    ],
)
def test_paths_that_hold_keys(path: str, shown: str) -> None:
    """What stands in a query is one, unless it is known to be none; and a segment that looks like one."""
    assert shown_path(path) == shown


def test_plain_data_without_secrets() -> None:
    """In JSON as in a file, whether it was read or only came."""
    came = {
        "services": {"chat": {"instances": [{"name": "m", "path": "/v1?key=k", "headers": {"X": "0"}, "weight": 0}]}}
    }
    assert concealed(ModelSection, came) == {
        "services": {
            "chat": {"instances": [{"name": "m", "path": f"/v1?key={MASK}", "headers": {"X": MASK}, "weight": 0}]}
        }
    }
    path = UrlPath("/v1?key=k")
    assert (plain(path), plain(path, reveal=True)) == (f"/v1?key={MASK}", "/v1?key=k")


def test_a_masked_path_that_is_sent_back_stays() -> None:
    """As a masked key does; one that was changed around the mask is refused."""
    document = Document.load(FILE, "x")
    wanted = "m@http://h"
    kept = instances.update(
        document, ServiceType.CHAT, wanted, {"path": f"/v1/chat?key={MASK}&api-version=2", "weight": 3}
    )
    assert kept.document.text == FILE.replace("weight: 10", "weight: 3")
    with pytest.raises(EditRefused):
        instances.update(document, ServiceType.CHAT, wanted, {"path": f"/v2/chat?key={MASK}"})
    assert not is_mask_of("/v1", "/v1")


@pytest.mark.parametrize("text", [*NUMBERS, *OTHERS])
def test_text_that_looks_like_something_else(text: str) -> None:
    """It stays what it is: typed as a value, in an instance that is added, and read from the file."""
    edited = set_text(Document.load("", "x"), "server.admin-token", text)
    assert edited.summary == f"set server.admin-token to {MASK}"
    assert parse(edited.document, {}).config.server.admin_token == Secret(text)
    key = text.replace(" ", "")  # no key has spaces
    instance = Instance(name=text, base_url=parse(Document.load("", "x")).config.tracing.endpoint, api_key=Secret(key))
    added = instances.add(Document.load("", "x"), ServiceType.CHAT, instance).document
    (found,) = parse(added, {}).config.model.services[ServiceType.CHAT].instances
    assert (found.name, found.api_key, found.id) == (text, Secret(key), instance.id)
    removed = instances.remove(added, ServiceType.CHAT, instance.id)
    assert removed.instance == instance.id


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_in_the_file_where_text_belongs(text: str) -> None:
    """They are taken as they are written, by editors and commands alike."""
    written = f"model: {{services: {{chat: {{instances: [{{name: {text}, base-url: http://h, api-key: {text}}}]}}}}}}\n"
    document = Document.load(written, "x")
    (found,) = parse(document, {}).config.model.services[ServiceType.CHAT].instances
    assert (found.name, found.api_key) == (text, Secret(text))
    updated = instances.update(document, ServiceType.CHAT, f"{text}@http://h", {"weight": 2}).document
    assert updated.text == written.replace(f"api-key: {text}", f"api-key: {text}, weight: 2")


def test_quotes_of_a_typed_value_are_yamls() -> None:
    """Whoever quotes a value for YAML means what is inside; a number stays a number where one belongs."""
    empty = Document.load("", "x")
    assert set_text(empty, "server.admin-token", "'0x1F'").document.text == "server:\n  admin-token: '0x1F'\n"
    assert set_text(empty, "server.port", "0x1F").document.text == "server:\n  port: 0x1F\n"
    assert (
        set_text(empty, "server.trusted-proxies", "[::1]").document.text == "server:\n  trusted-proxies:\n    - ::1\n"
    )
