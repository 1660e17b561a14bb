"""What `client-check` does with the generated client: each answer is compared with what it should be."""

import importlib
import sys
from typing import Any

from j_ai_router_client import Client

PACKAGE = "j_ai_router_client.api"


def call(tag: str, operation: str, *where: str, **more: Any) -> Any:
    """Call an operation; return its answer as plain data."""
    answer = importlib.import_module(f"{PACKAGE}.{tag}.{operation}").sync_detailed(*where, **more)
    if answer.status_code >= 400:  # noqa: PLR2004
        sys.exit(f"{operation}: HTTP {answer.status_code}: {answer.content!r}")
    return answer.parsed.to_dict()


def model(name: str, values: dict[str, Any]) -> Any:
    """Return a body of the generated kind."""
    return getattr(importlib.import_module("j_ai_router_client.models"), name).from_dict(values)


def main(url: str) -> None:
    """List services, add an instance, read limits and health."""
    client = Client(base_url=url)
    found = call("服务类型管理", "get_api_config_type_services", client=client)
    print("services:", found["data"])
    assert found["data"] == ["chat"]
    body = model("PostApiConfigInstanceAddByServiceTypeBody", {"name": "n", "baseUrl": "http://127.0.0.1:2"})
    added = call("服务实例管理", "post_api_config_instance_add_by_service_type", "chat", client=client, body=body)
    print("added:", added["data"])
    assert added["data"]["instanceId"] == "n@http://127.0.0.1:2"
    limits = call("monitoring", "get_api_limits", client=client)
    print("limits:", [(one["place"], one["limit"]) for one in limits["limits"]])
    assert [(one["place"], one["limit"]) for one in limits["limits"]][:1] == [("gateway", 100)]
    health = call("actuator", "get_actuator_health", client=client)
    print("health:", health["status"])
    assert health["status"] == "UP"


if __name__ == "__main__":
    main(sys.argv[1])
