"""How a server program is started: as which user, and how it learns that its parent died."""

import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from raylm.core.errors import StoreError

UNPRIVILEGED_UID = 65_534
_MAPPED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_DROPPED = (
    "setpriv",
    f"--reuid={UNPRIVILEGED_UID}",
    f"--regid={UNPRIVILEGED_UID}",
    "--clear-groups",
)


@dataclass(frozen=True)
class Launcher:
    """A command prefix and the user who must own the files of the server it starts."""

    prefix: tuple[str, ...]
    owner_uid: int

    def command(self, *program: str) -> list[str]:
        return [*self.prefix, *program]

    def claim(self, folder: Path) -> None:
        """Give a data folder, written under another launcher perhaps, to this one's user."""
        if os.geteuid() != 0 or folder.stat().st_uid == self.owner_uid:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.owner_uid, self.owner_uid, follow_symlinks=False)


def plain() -> Launcher:
    return Launcher((), os.geteuid())


def unprivileged(program: Path) -> Launcher:
    """For a program that refuses to run as root.

    A user namespace shows it another user while its files stay ours; without namespaces it
    runs as `nobody`, who must be able to reach the program and the data folder.
    """
    if os.geteuid() != 0:
        return plain()
    if _works([*_MAPPED, str(program), "--version"]):
        return Launcher(_MAPPED, 0)
    return dropped(program)


def dropped(program: Path) -> Launcher:
    if _works([*_DROPPED, str(program), "--version"]):
        return Launcher(_DROPPED, UNPRIVILEGED_UID)
    raise StoreError(
        f"{program} cannot run as root, user namespaces are off and user {UNPRIVILEGED_UID} cannot "
        "reach it; run RayLM as another user or set RAYLM_DATABASE_URL"
    )


def dying_with_parent(signal_name: str) -> tuple[str, ...]:
    """A prefix that has the kernel signal the program when its parent dies.

    The kernel watches the thread that started the program, so this is safe on the main
    thread alone. Elsewhere an orphan is stopped at the next start.
    """
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and shutil.which("setpriv"):
        return ("setpriv", "--pdeathsig", signal_name)
    return ()


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
