"""The backend-specific lines of a standalone script: importing it, making its arrays, and defining its functions."""

from __future__ import annotations

from pathlib import Path

from xent_conformance.interface import ReproducerParts
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import OBJECT, Description
from xent_conformance.problem import AnyArray
from xent_conformance.witnesses import literals

#: Replaces this package in a script if the adapter imports it and the suite is not installed.
STUB = """\
try: import xent_conformance.interface
except ImportError:  # the adapter needs the suite only to describe itself
    import collections, importlib.machinery, sys, types
    class Stub(types.ModuleType):
        Vjp = collections.namedtuple("Vjp", "loss grad_logits grad_target", defaults=[None])
        LinearVjp = collections.namedtuple("LinearVjp", "loss grad_hidden grad_weight grad_bias", defaults=[None])
        def __getattr__(self, name):
            if name.startswith("__"): raise AttributeError(name)
            return type(name, (types.SimpleNamespace,), {})
    class Stubs:  # one for each module of the suite that is imported
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "xent_conformance":
                return importlib.machinery.ModuleSpec(name, self, is_package=True)
        def create_module(self, spec): return Stub(spec.name)
        def exec_module(self, module): pass
    sys.meta_path.insert(0, Stubs())
"""

_MADE = "if isinstance(backend, type) or not hasattr(backend, 'capabilities'): backend = backend()"


def parts_of(subject: Subject) -> ReproducerParts:
    """The parts that the backend provides, or else its methods on NumPy arrays."""
    if subject.description.reproducer is not None:
        return subject.description.reproducer
    bridged = subject.has("array bridge")
    array = "{array}.astype('{dtype}')"
    return ReproducerParts(
        setup="import ml_dtypes" + (f"\n{_import_of(subject.description)}" if bridged else ""),
        array=f"backend.asarray({array})" if bridged else array,
        result="np.asarray(backend.asnumpy({value})).astype(np.float64)"
        if bridged
        else "np.asarray({value}).astype(np.float64)",
        calls={
            name: f"def {name}(*args, **options):\n    return backend.{name}(*args, **options)"
            for name in subject.description.methods
        },
    )


def loading_of(subject: Subject) -> str:
    """Lines that define ``backend`` after the inputs, if it is not needed to make them."""
    own_words = subject.description.reproducer is not None
    return "" if own_words or subject.has("array bridge") else _import_of(subject.description) + "\n"


def _import_of(description: Description) -> str:
    """The lines of a script that define ``backend``."""
    assert description.origin is not None
    place, attribute = description.origin.place, description.origin.attribute
    if description.origin.kind == OBJECT:
        return f'raise NotImplementedError("make the adapter {attribute} here, as it was judged: backend = ...")'
    stub = STUB if description.imports_suite else ""
    if description.origin.kind != "file":
        return f"{stub}from {place} import {attribute} as backend\n{_MADE}"
    stub = STUB if "xent_conformance" in Path(place).read_text("utf-8") else stub
    return (
        f"import runpy, sys\n{stub}"
        f"sys.path.insert(0, {str(Path(place).parent)!r})\n"
        f"backend = {_in_file(place, attribute)}\n{_MADE}"
    )


def _in_file(place: str, attribute: str) -> str:
    """The expression for an object of a file: "Kernels.fast" is an attribute of one."""
    first, dot, rest = attribute.partition(".")
    return f"runpy.run_path({place!r})[{first!r}]{dot}{rest}"


def assigned(
    name: str, array: AnyArray | None, parts: ReproducerParts, *, bands: bool = False, ordinary: bool = False
) -> list[str]:
    """Statements that make one of the backend's arrays, with the strides of the original if it can have them.

    ``bands``: between guard bands, as in the call; ``ordinary``: with ordinary numbers in the bands.
    """
    if array is None:
        return [f"{name} = None"]
    if (bands or not array.flags.c_contiguous) and array.size:
        lines = _strided(name, array, parts, bands=bands, ordinary=ordinary)
        if lines:
            return lines
    lines = []
    expression = literals.array(array, name, lines)
    return [*lines, f"{name} = {parts.array.format(array=expression, dtype=array.dtype.name)}"]


def _strided(name: str, array: AnyArray, parts: ReproducerParts, *, bands: bool, ordinary: bool) -> list[str]:
    """Lines for a strided view of memory; none if the backend's arrays cannot have the strides."""
    memory, strides, start = literals.memory_of(array, bands=bands, ordinary=ordinary)
    lines: list[str] = []
    expression = literals.array(memory, f"{name}_memory", lines)
    held, dtype = f"{name}_memory", array.dtype.name
    if "torch." in parts.array:
        if min(strides, default=0) < 0:
            return []  # torch has no negative strides
        lines.append(f"{held} = {parts.array.format(array=expression, dtype=dtype)}")
        return [*lines, f"{name} = torch.as_strided({held}, {array.shape}, {strides}, {start})"]
    options = "" if array.flags.writeable else ", writeable=False"
    view = f"np.lib.stride_tricks.as_strided({held}[{start}:], {array.shape}, {array.strides}{options})"
    if parts.array.startswith("backend.asarray("):
        return [*lines, f"{held} = {expression}.astype('{dtype}')", f"{name} = backend.asarray({view})"]
    if parts.array.startswith(("np.", "{array}")):
        return [*lines, f"{held} = {parts.array.format(array=expression, dtype=dtype)}", f"{name} = {view}"]
    return []
