"""One target under atheris, in a process of its own: `python -m tests.fuzz.child TARGET [options of libFuzzer]`."""

import sys

import atheris

with atheris.instrument_imports(include=["jairouter_cli", "multipart", "ruamel"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].feed)
    atheris.Fuzz()
