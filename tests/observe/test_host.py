"""How busy processes are, between two looks; labels that Prometheus takes."""

from jairouter_cli.observe.collection import Reading
from jairouter_cli.observe.exposition import labels_of
from jairouter_cli.observe.host import Loads


def looked(loads: Loads, now: float, used_s: float, began: float = 100.0) -> dict[str, float]:
    """Return what is read of one process."""
    read = [Reading("process_start_time_seconds", ("0",), began), Reading("process_cpu_seconds", ("0",), used_s)]
    return {one.name: one.value for one in loads.readings(read, now, processors=2) if one.labels}


def test_a_share_is_that_since_the_look_before() -> None:
    """At first that of its life; a look that comes too soon changes nothing; another process begins anew."""
    loads = Loads()
    assert looked(loads, 110.0, 5.0) == {"process_uptime_seconds": 10.0, "process_cpu_usage": 0.25}
    assert looked(loads, 110.1, 5.1)["process_cpu_usage"] == 0.25
    assert looked(loads, 120.0, 25.0)["process_cpu_usage"] == 1.0
    assert looked(loads, 130.0, 25.0)["process_cpu_usage"] == 0.0
    assert looked(loads, 140.0, 2.0, began=130.0)["process_cpu_usage"] == 0.1


def test_labels() -> None:
    """Names that Prometheus does not take are changed; those that are its own are told from them."""
    assert labels_of({"a.b": "1", "c-d": "2", "9": "3", "le": "4", "__x": "5", "ok": "6"}) == {
        "a_b": "1",
        "c_d": "2",
        "m_9": "3",
        "exported_le": "4",
        "exported___x": "5",
        "ok": "6",
    }
