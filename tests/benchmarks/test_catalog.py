"""`make bench`, whole or by name."""

import importlib

import pytest

from benchmarks.__main__ import chosen
from benchmarks.catalog import MODULES, ON_REQUEST


def test_all_run_unless_some_are_named():
    assert chosen([]) == MODULES
    assert chosen(["relay", "decode"]) == ["benchmarks.gateway.relay", "benchmarks.infer.decode"]


def test_an_unknown_name_is_told_with_those_there_are():
    with pytest.raises(SystemExit, match=r"no benchmark relais; there are .*\brelay\b"):
        chosen(["relais"])


@pytest.mark.parametrize("module", MODULES + tuple(m for m in ON_REQUEST if "gpu" not in m))
def test_each_has_a_main(module):
    assert callable(importlib.import_module(module).main)
