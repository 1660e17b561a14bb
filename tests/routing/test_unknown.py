"""What a client is told that names a model which nobody has."""

import pytest

from jairouter_cli.config.model import ServiceType
from jairouter_cli.routing.unknown import model_not_found

CHAT, EMBEDDING = ServiceType.CHAT, ServiceType.EMBEDDING
POOLS = [(CHAT, name) for name in ("qwen2.5:7b", "Qwen/Qwen3-32B", "gpt-4o-mini", "llama3")] + [(EMBEDDING, "bge-m3")]
ALL = "qwen2.5:7b, Qwen/Qwen3-32B, gpt-4o-mini, llama3"


@pytest.mark.parametrize(
    ("model", "en", "zh"),
    [
        ("qwen", "; did you mean 'qwen2.5:7b'?", "；您要找的是 'qwen2.5:7b' 吗？"),
        ("QWEN2.5:7B", "; did you mean 'qwen2.5:7b'?", "；您要找的是 'qwen2.5:7b' 吗？"),
        ("qwen3-32b", "; did you mean 'Qwen/Qwen3-32B'?", "；您要找的是 'Qwen/Qwen3-32B' 吗？"),
        ("openai/gpt-4o-mini", "; did you mean 'gpt-4o-mini'?", "；您要找的是 'gpt-4o-mini' 吗？"),
        ("lama3", "; did you mean 'llama3'?", "；您要找的是 'llama3' 吗？"),
        ("{model}", "", ""),
    ],
)
def test_the_nearest_name(model: str, en: str, zh: str) -> None:
    """Without its tag or its maker, in other letters, or with a slip."""
    error = model_not_found(POOLS, CHAT, model)
    unknown = f"No instances found for model '{model}' in service type 'chat'"
    assert error.message("en") == f"{unknown}; available models: {ALL}{en}"
    assert error.message("zh") == f"服务类型 'chat' 中没有模型 '{model}' 的可用实例；可用的模型：{ALL}{zh}"


def test_a_model_of_another_service() -> None:
    """The service is named, and no name that is like it."""
    error = model_not_found(POOLS, CHAT, "bge-m3")
    assert error.message() == (
        "No instances found for model 'bge-m3' in service type 'chat'; it belongs to another service: embedding"
        f"; available models: {ALL}"
    )
    assert error.message("zh") == (
        f"服务类型 'chat' 中没有模型 'bge-m3' 的可用实例；该模型属于其他服务：embedding；可用的模型：{ALL}"
    )


def test_ten_models_are_listed() -> None:
    """And the others counted."""
    error = model_not_found([(CHAT, f"m{number}") for number in range(25)], CHAT, "other")
    listed = [f"m{number}" for number in range(10)]
    assert error.message().endswith(f"; available models: {', '.join(listed)} and 15 more")
    assert error.details == {"available": listed}


def test_no_models() -> None:
    """An empty gateway says so."""
    assert model_not_found([], None, "m").message() == "The model 'm' does not exist; there are no models yet"
    assert model_not_found([], None, "m").message("zh") == "模型 'm' 不存在；目前还没有任何模型"


def test_likeness_has_its_price() -> None:
    """Names beyond what may be compared are not proposed for a slip, but still for their beginning."""
    names = [f"{'ab' * 15}-{number:03}" for number in range(100)]
    pools = [(CHAT, name) for name in names]
    assert model_not_found(pools, CHAT, "ba" * 15 + "-099").details["nearest"] in names[:6]
    assert model_not_found(pools, CHAT, names[99][:-1] + "x").details["nearest"] in names[:6]
    assert model_not_found(pools, CHAT, f"maker/{names[99]}").details["nearest"] == names[99]


def test_a_long_name_is_not_repeated_whole() -> None:
    """Nor compared with others."""
    error = model_not_found(POOLS, None, "m" * 100_000)
    assert len(error.message()) < 300
