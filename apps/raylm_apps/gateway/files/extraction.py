"""The text of a PDF, read by a process of its own with little time, little memory and no secrets.

A hostile document costs that process and nothing else: what it had read by then is the text.
"""

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

SCRIPT = Path(__file__).with_name("pdf_text.py")
MAX_TEXT_CHARS = 200_000
logger = structlog.get_logger()


@dataclass
class Extractor:
    timeout_s: float = 20.0
    max_bytes: int = 1 << 30
    max_chars: int = MAX_TEXT_CHARS
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def text_of(self, pdf: bytes) -> str:
        """Empty for a scan, for an encrypted document and for a hostile one."""
        async with self.at_once:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(SCRIPT)),
                *(str(self.max_chars), str(self.max_bytes), str(int(self.timeout_s))),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
            )
            try:
                text = await self._converse(process, pdf)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            logger.warning("a PDF was not read whole", status=process.returncode, chars=len(text))
        return text

    async def _converse(self, process: asyncio.subprocess.Process, pdf: bytes) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        chunks: list[bytes] = []
        with suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
            async with asyncio.timeout(self.timeout_s):
                process.stdin.write(pdf)
                await process.stdin.drain()
                process.stdin.close()
                while chunk := await process.stdout.read(1 << 16):
                    chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", "ignore")[: self.max_chars].strip()
