"""Compiled templates, cached beside Python's compiled modules: compiling them takes longer than a short run.

If that folder is read-only or Python must not write bytecode, each process compiles the templates it uses.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

from xent_reports import files

TEMPLATES = Path(__file__).with_name("templates")
_DIGEST = hashlib.sha256
_LENGTH = _DIGEST().digest_size


class CompiledTemplates(BytecodeCache):
    """The compiled templates of the environment that a module makes.

    Each file begins with a digest of all that it depends on, and of what follows.
    """

    def __init__(self, module: Path) -> None:
        """``module`` is the source file that makes the environment. In an archive it is no file, and nor is a cache."""
        source = module.read_bytes() if module.is_file() else b""
        self._settings = b"\0".join([MAGIC_NUMBER, jinja2.__version__.encode(), source])

    def get_cache_key(self, name: str, filename: str | None = None) -> str:  # noqa: ARG002 - as Jinja calls it
        """The name of the template."""
        return name

    def get_source_checksum(self, source: str) -> str:
        """A digest of the source, and of what else its compiled form depends on."""
        return _DIGEST(self._settings + source.encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read the compiled template, if there is a current one."""
        with suppress(OSError, NotImplementedError):
            content = _place(bucket).read_bytes()
            digest, code = content[:_LENGTH], content[_LENGTH:]
            if digest == _digest(bucket, code):
                bucket.code = marshal.loads(code)  # noqa: S302 - as Python reads compiled modules from there

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the compiled template, unless that is impossible or forbidden."""
        if sys.dont_write_bytecode:
            return
        code = marshal.dumps(bucket.code)
        with suppress(OSError, NotImplementedError):
            place = _place(bucket)
            place.parent.mkdir(parents=True, exist_ok=True)
            files.write_bytes(place, _digest(bucket, code) + code)


def _place(bucket: Bucket) -> Path:
    """Where a compiled template is; raises NotImplementedError for an interpreter that keeps no compiled modules."""
    return Path(cache_from_source(TEMPLATES / bucket.key))


def _digest(bucket: Bucket, code: bytes) -> bytes:
    return _DIGEST(bucket.checksum.encode() + code).digest()
