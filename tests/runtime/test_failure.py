from raylm.core.errors import DataError, WorkerError
from raylm.runtime.failure import Cause, Failure, blame, cause_of, death_reason


def failure(rank, cause, error=None):
    return Failure(rank, 100 + rank, cause, "because", error)


def test_a_death_explains_the_lost_peers():
    lost = [failure(r, Cause.LOST_A_PEER) for r in (0, 2)]
    assert blame([*lost, failure(3, Cause.DIED)]).rank == 3


def test_an_error_explains_those_who_still_wait_for_it():
    assert blame([failure(0, Cause.HUNG), failure(1, Cause.RAISED)]).rank == 1


def test_a_hang_explains_the_timeouts():
    assert blame([failure(0, Cause.LOST_A_PEER), failure(1, Cause.HUNG)]).rank == 1


def test_an_error_of_ours_comes_through_as_itself():
    original = DataError("no such file: 'x'")
    assert failure(0, Cause.RAISED, original).to_error() is original


def test_a_death_becomes_a_worker_error_with_rank_pid_and_reason():
    error = failure(2, Cause.DIED).to_error()
    assert isinstance(error, WorkerError)
    assert (error.rank, error.pid, error.reason) == (2, 102, "because")
    assert str(error) == "worker 2 (pid 102) died: because"


def test_gloo_errors_are_told_from_a_programmers():
    gloo = RuntimeError("[../third_party/gloo/pair.cc:534] Connection closed by peer")
    assert cause_of(gloo) is Cause.LOST_A_PEER
    assert cause_of(RuntimeError("shape '[2]' is invalid")) is Cause.RAISED
    assert cause_of(ValueError("gloo")) is Cause.RAISED


def test_the_reason_of_a_death_is_one_sentence():
    message = (
        "The actor died unexpectedly.\n\tpid: 7\nWorker exit type: SYSTEM_ERROR "
        "Worker exit detail: Worker unexpectedly exits with a connection error code 2. "
        "End of file. Some common causes include: (1) the process was killed"
    )
    expected = "Worker unexpectedly exits with a connection error code 2. End of file."
    assert death_reason(message) == expected
    assert death_reason("no detail\n  last line \n") == "last line"
