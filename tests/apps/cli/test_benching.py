"""`raylm bench` finds the benchmarks of a checkout, and says so where there are none."""

import sys

import pytest
from typer.testing import CliRunner

from raylm_apps.cli import benching
from raylm_apps.cli.main import app


@pytest.fixture(autouse=True)
def as_in_a_new_process(monkeypatch):
    """Other tests import the benchmarks, and `runpy` warns of what is imported already."""
    monkeypatch.delitem(sys.modules, "benchmarks.infer.decode", raising=False)


def test_a_benchmark_answers_for_its_own_options():
    result = CliRunner().invoke(app, ["bench", "decode", "--help"])
    assert result.exit_code == 0
    assert "usage: raylm bench decode" in result.output
    assert "Example: raylm bench decode" in result.output


def test_a_wrong_option_is_bad_usage():
    result = CliRunner().invoke(app, ["bench", "decode", "--rounds", "0"])
    assert result.exit_code == 2
    assert "0 is less than 1" in result.output


def test_an_unknown_benchmark_suggests_the_nearest():
    result = CliRunner().invoke(app, ["bench", "decod"])
    assert result.exit_code == 2
    assert "no benchmark 'decod'; did you mean 'decode'?" in result.output


def test_every_name_is_of_one_benchmark():
    from benchmarks.catalog import MODULES, ON_REQUEST, by_name

    assert sorted(by_name().values()) == sorted(MODULES + ON_REQUEST)


def test_without_a_checkout_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(benching, "ROOT", tmp_path)
    result = CliRunner().invoke(app, ["bench", "decode"])
    assert result.exit_code == 2
    assert f"the benchmarks are not in {tmp_path}" in result.output


@pytest.fixture(autouse=True)
def _arguments(monkeypatch):
    monkeypatch.setattr("sys.argv", ["raylm"])
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
