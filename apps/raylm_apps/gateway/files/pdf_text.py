"""A PDF on stdin, its text on stdout: run as a script, in a process that may die of it.

python pdf_text.py MAX_CHARS MAX_BYTES MAX_CPU_SECONDS
"""

import io
import logging
import resource
import sys


def main() -> None:
    max_chars, max_bytes, max_cpu_s = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_CPU, (max_cpu_s, max_cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    from pypdf import PdfReader  # before the limit of memory: libraries are mapped, not used

    resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
    logging.disable()
    left = max_chars
    for page in PdfReader(io.BytesIO(data)).pages:
        text = page.extract_text()[:left].replace("\x00", "")
        sys.stdout.buffer.write(text.encode("utf-8", "ignore") + b"\n")
        sys.stdout.buffer.flush()  # what follows may be what kills
        left -= len(text)
        if left <= 0:
            return


if __name__ == "__main__":
    main()
