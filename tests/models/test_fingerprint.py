import os
import time
from pathlib import Path

from raylm.models.fingerprint import fingerprint


def test_a_file_nobody_touched_keeps_its_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    found = fingerprint([file])
    assert found is not None
    assert fingerprint([file]) == found
    link = tmp_path / "link"
    link.symlink_to(file)
    assert fingerprint([link]) == found


def test_every_change_gives_another(tmp_path: Path) -> None:
    file, copy = tmp_path / "weights", tmp_path / "copy"
    file.write_bytes(b"one")
    copy.write_bytes(b"one")
    found = {fingerprint([file]), fingerprint([copy]), fingerprint([file, copy])}
    file.write_bytes(b"longer")
    found.add(fingerprint([file]))
    os.utime(file, (1, 1))
    found.add(fingerprint([file]))
    assert len(found) == 5


def test_another_content_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    found = fingerprint([file])
    time.sleep(0.05)  # the clock of a file system ticks in steps
    changed = tmp_path / "changed"
    changed.write_bytes(b"two")
    os.utime(changed, (1, 1))
    changed.replace(file)
    assert file.stat().st_mtime == 1
    assert fingerprint([file]) != found


def test_a_missing_file_has_none(tmp_path: Path) -> None:
    assert fingerprint([tmp_path / "weights"]) is None
