"""Files of the Java version that are cut into parts."""

# ruff: noqa: E501 - messages are compared whole

from pathlib import Path

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.ops import instances
from jairouter_cli.config.ops.values import set_value
from jairouter_cli.config.parse import parse
from jairouter_cli.config.scalars import read_url
from jairouter_cli.config.store import Store
from jairouter_cli.errors import ConfigInvalid, ConfigSyntaxError, EditRefused, InstanceNotFound
from tests.process import run

CHAT = "model: {services: {chat: {instances: [{name: NAME, base-url: http://h}]}}}\n"


def written(folder: Path, **files: str) -> Path:
    """Write files, by their names with `__` for `/`; return the first."""
    for name, text in files.items():
        place = folder / f"{name.replace('__', '/')}.yml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder / f"{next(iter(files)).replace('__', '/')}.yml"


def names(file: Path) -> list[str]:
    """Return the names of the instances in force."""
    services = Store(file).read().config.model.services
    return [one.name for service in services.values() for one in service.instances]


@pytest.mark.parametrize(
    "section",
    [
        "spring: {config: {import: 'classpath:config/a.yml'}}",
        "spring: {config: {import: ['classpath:config/a.yml']}}",
        "spring: {config: {import: [config/a.yml]}}",
        "spring: {config: {import: 'file:./config/a.yml'}}",
        "spring: {config: {import: 'optional:file:config/a.yml'}}",
        "spring: {config: {import: 'optional:classpath:/config/nowhere.yml, classpath:/config/a.yml'}}",
        "spring: {config: {import: 'config/a[.yml]'}}".replace("a[", "a.yml["),
        "spring: {config: {import: '${WHERE:config}/a.yml'}}",
        "spring: {config: {import: 'file:FOLDER/config/a.yml'}}",
        "spring.config.import: config/a.yml",
        "spring: {config.import: [config/a.yml]}",
    ],
)
def test_ways_to_import(tmp_path: Path, section: str) -> None:
    """As Spring Boot reads them."""
    file = written(tmp_path, application=section.replace("FOLDER", str(tmp_path)), config__a=CHAT)
    assert names(file) == ["NAME"]


def test_what_wins(tmp_path: Path) -> None:
    """An import over its file, a later one over an earlier one; mappings are united, lists replaced."""
    file = written(
        tmp_path,
        application="spring: {config: {import: [a.yml, sub/b.yml]}}\n"
        "server: {port: 1, admin-token: t}\nmodel: {max-retries: 1, services: {imggen: {}}}\n",
        a="server: {port: 2}\nmodel: {services: {chat: {instances: [{name: x, baseUrl: http://x}]}}}\n",
        sub__b="spring: {config: {import: c.yml}}\nmodel: {maxRetries: 3}\n",
        sub__c=CHAT.replace("NAME", "c") + "server: {port: 4}\n",
    )
    loaded = Store(file).read()
    config = loaded.config
    assert (config.server.port, config.model.max_retries, names(file)) == (4, 3, ["c"])
    assert (config.server.admin_token is not None, list(config.model.services)) == (
        True,
        [ServiceType.IMG_GEN, ServiceType.CHAT],
    )
    assert [notice.message for notice in loaded.notices][-1] == (
        "imported files are read at start and whenever this file changes: "
        f"{tmp_path}/a.yml, {tmp_path}/sub/b.yml, {tmp_path}/sub/c.yml"
    )


def test_circles_end(tmp_path: Path) -> None:
    """Each file counts once."""
    file = written(
        tmp_path,
        application="spring: {config: {import: [a.yml, application.yml]}}",
        a="spring: {config: {import: application.yml}}\n" + CHAT,
    )
    assert names(file) == ["NAME"]


def test_what_is_not_followed_is_named(tmp_path: Path) -> None:
    """Trees of files, servers of configuration, profiles."""
    text = (
        "spring:\n  profiles: {active: dev}\n  config:\n    import:\n"
        "      - configtree:/etc/config/\n      - optional:configserver:http://h\n      - a.properties\n"
    )
    loaded = Store(written(tmp_path, application=text)).read()
    assert [(notice.line, notice.message) for notice in loaded.notices] == [
        (2, "profiles are not supported (dev): list the files application-PROFILE.yml in spring.config.import"),
        (5, "unsupported import, ignored: configtree:/etc/config/"),
        (6, "unsupported import, ignored: optional:configserver:http://h"),
        (7, "unsupported import, ignored: a.properties"),
        (0, "unknown sections, ignored: spring"),
    ]


def test_a_missing_file_is_an_error_with_its_place(tmp_path: Path) -> None:
    """Unless it is optional; what is wrong in an imported file is said with that file's name and line."""
    file = written(tmp_path, application="spring:\n  config:\n    import:\n      - a.yml\n      - gone.yml\n", a="\n")
    with pytest.raises(ConfigInvalid) as caught:
        Store(file).read()
    assert str(caught.value) == (
        f"{file}:5: spring.config.import[1]: expected an existing, readable file "
        "(put optional: in front if it may be missing), found 'gone.yml'"
    )
    written(tmp_path, a="\nserver: {port: x}\n", gone="{")
    with pytest.raises(ConfigSyntaxError, match=r"gone\.yml:1: not valid YAML"):
        Store(file).read()
    written(tmp_path, gone="")
    with pytest.raises(ConfigInvalid) as caught:
        Store(file).read()
    assert str(caught.value) == f"{tmp_path}/a.yml:2: server.port: expected a whole number, found 'x'"


def test_edits_of_what_is_imported_are_refused(tmp_path: Path) -> None:
    """They would be lost; what the file says itself can be edited."""
    main = "spring: {config: {import: a.yml}}\n"
    file = written(tmp_path, application=main, a=CHAT + "server: {port: 2}\n")
    store = Store(file)
    where = f"({tmp_path}/a.yml)"
    with pytest.raises(InstanceNotFound) as lost:
        store.apply(lambda document: instances.remove(document, ServiceType.CHAT, "NAME"))
    assert lost.value.hint == f"the value is in an imported file; edit it there {where}"
    new = Instance(name="n", base_url=read_url("http://n"))
    for operation in (
        lambda document: instances.add(document, ServiceType.CHAT, new),
        lambda document: set_value(document, "server.port", 3),
    ):
        with pytest.raises(EditRefused, match="it would have no effect because an imported file overrides it"):
            store.apply(operation)
    assert file.read_text() == main
    store.apply(lambda document: set_value(document, "server.workers", 3))
    assert store.read().config.server.workers == 3


def test_import_makes_one_file_of_them(tmp_path: Path) -> None:
    """`config import` takes over the parts, too, for their places are elsewhere."""
    source = written(
        tmp_path / "java",
        application="spring: {config: {import: 'classpath:config/a.yml'}, application: {name: x}}\nserver: {port: 1}\n",
        config__a=CHAT.replace("NAME", "0123"),
    )
    target = tmp_path / "jairouter.yaml"
    target.write_text("")
    done = run("config", "import", str(source), "--config", str(target))
    assert (done.returncode, done.stdout) == (0, "imported application.yml\n")
    assert "spring" not in target.read_text()
    assert names(target) == ["0123"]


def test_categories_of_the_java_version() -> None:
    """Its files name `errors`, which is not here; the others count."""
    text = "monitoring: {metrics: {enabled-categories: [system, errors]}}"
    document = Document.load(text, "x")
    parsed = parse(document, {})
    assert parsed.config.monitoring.metrics.enabled_categories == ("system",)
    assert [notice.message for notice in parsed.notices] == [
        "monitoring.metrics.enabled-categories: ignored, not supported: errors (supported: system, business, infrastructure)"
    ]
