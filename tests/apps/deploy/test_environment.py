import os

from raylm_apps.deploy.environment import applied, serve_environment
from raylm_apps.deploy.ports import free_ports


def test_two_stacks_share_nothing(tmp_path):
    one = serve_environment(tmp_path / "one", free_ports(3))
    other = serve_environment(tmp_path / "other", free_ports(3))
    for name in one:
        if name.endswith(("_PORT", "_PATH", "_LOC", "_BASE", "_FILE")):
            assert one[name] != other[name], name


def test_variables_last_as_long_as_the_block(monkeypatch):
    monkeypatch.setenv("RAYLM_TEST_A", "user's")
    monkeypatch.setenv("RAYLM_TEST_C", "user's")
    with applied({"RAYLM_TEST_A": "ours", "RAYLM_TEST_B": "ours"}, {"RAYLM_TEST_C": "default"}):
        assert os.environ["RAYLM_TEST_A"] == "ours"
        assert os.environ["RAYLM_TEST_B"] == "ours"
        assert os.environ["RAYLM_TEST_C"] == "user's"
    assert os.environ["RAYLM_TEST_A"] == "user's"
    assert "RAYLM_TEST_B" not in os.environ
