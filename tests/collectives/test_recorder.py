from raylm.collectives.recorder import Recorder


def test_bytes_add_up_by_kind_until_reset():
    recorder = Recorder()
    for kind, size in (("all_gather", 10), ("reduce_scatter", 5), ("all_gather", 7), ("fence", 0)):
        recorder.begin(kind, "layer", size)
    assert recorder.by_operation == {"all_gather": 17, "reduce_scatter": 5, "fence": 0}
    assert recorder.bytes_sent == 22
    recorder.reset()
    assert recorder.by_operation == {}
    assert recorder.bytes_sent == 0


def test_numbers_go_on_after_a_reset():
    recorder = Recorder()
    recorder.begin("fence", "a", 0)
    recorder.reset()
    assert str(recorder.begin("all_gather", "b", 3)) == "#2 all_gather of b"


def test_current_is_the_oldest_that_is_not_done():
    recorder = Recorder()
    assert recorder.current is None
    first, second, third = (recorder.begin("fence", name, 0) for name in "abc")
    second.is_done = True
    assert recorder.current is first
    first.is_done = True
    assert recorder.current is third
    third.is_done = True
    assert recorder.current is None


def test_the_last_operations_are_remembered_by_number():
    recorder = Recorder()
    for number in range(1, 101):
        recorder.begin("fence", f"step {number}", 0)
    names = recorder.names()
    assert list(names) == list(range(37, 101))
    assert names[100] == "fence of step 100"


def test_what_is_handed_out_is_a_copy():
    recorder = Recorder()
    recorder.begin("fence", "a", 1)
    recorder.by_operation["fence"] = 99
    recorder.names().clear()
    assert recorder.bytes_sent == 1
    assert recorder.names() == {1: "fence of a"}
