"""Bars are judged by ratios of the same round."""

from benchmarks.infer.decode_rows import Finding, Row

FASTER = Row("speed", "ours", ("peer", "other"), 2.0)


def test_a_ratio_is_taken_within_its_round_beside_the_best_peer():
    figures = {"ours": [10.0, 40.0, 30.0], "peer": [5.0, 10.0, 10.0], "other": [4.0, 1.0, 12.0]}
    found = Finding.of(FASTER, figures)
    assert found.ratios == (2.0, 4.0, 2.5)
    assert (found.ours, found.peer, found.theirs, found.ratio) == (30.0, "peer", 10.0, 2.5)
    assert found.met


def test_of_two_peers_one_may_be_missing():
    found = Finding.of(FASTER, {"ours": [3.0], "other": [2.0]})
    assert (found.peer, found.ratios, found.met) == ("other", (1.5,), False)


def test_without_a_peer_or_a_figure_of_ours_there_is_nothing_to_judge():
    assert Finding.of(FASTER, {"ours": [3.0]}) is None
    assert Finding.of(FASTER, {"peer": [3.0]}) is None


def test_of_totals_the_smaller_is_better():
    row = Row("seconds", "ours", ("peer", "other"), 0.4, at_most=True)
    found = Finding.of(row, {"ours": [1.0], "peer": [10.0], "other": [2.0]})
    assert (found.peer, found.ratio, found.met) == ("other", 0.5, False)


def test_what_must_hold_always_is_judged_by_its_worst_round():
    figures = {"ours": [9.0, 4.0, 9.0], "peer": [10.0, 10.0, 10.0]}
    assert not Finding.of(Row("floor", "ours", ("peer",), 0.5, always=True), figures).met
    assert Finding.of(Row("median", "ours", ("peer",), 0.5), figures).met
