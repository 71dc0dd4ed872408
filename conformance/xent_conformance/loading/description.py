"""The description of a backend as plain data, which can be sent between processes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

from xent_conformance.calling.bridge import Bridge
from xent_conformance.calling.foreign import printable
from xent_conformance.conventions import Conventions
from xent_conformance.interface import (
    ArrayBridge,
    Backend,
    Capabilities,
    CrossEntropy,
    Differentiable,
    Entropy,
    EntropyGradient,
    FusedLinear,
    FusedLinearGradient,
    LayerForm,
    LogSoftmax,
    LogSoftmaxGradient,
    LogSumExp,
    LogSumExpGradient,
    Modes,
    NllLoss,
    Primitives,
    Reproducer,
    ReproducerParts,
    SecondOrder,
    Softmax,
    SoftmaxGradient,
    TokenLogProbs,
    TokenLogProbsGradient,
)
from xent_conformance.precision import Precision

#: Most versions that are used.
MOST = 100
#: Protocols of the interface by their names in records.
FORMS: dict[str, type] = {
    "cross-entropy": CrossEntropy,
    "gradient": Differentiable,
    "second order": SecondOrder,
    "primitives": Primitives,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "softmax gradient": SoftmaxGradient,
    "log_softmax gradient": LogSoftmaxGradient,
    "nll_loss": NllLoss,
    "logsumexp": LogSumExp,
    "logsumexp gradient": LogSumExpGradient,
    "token_log_probs": TokenLogProbs,
    "token_log_probs gradient": TokenLogProbsGradient,
    "entropy": Entropy,
    "entropy gradient": EntropyGradient,
    "layer": LayerForm,
    "fused linear": FusedLinear,
    "fused linear gradient": FusedLinearGradient,
    "array bridge": ArrayBridge,
    "reproducer": Reproducer,
}
#: The kind of an object of this process, which cannot be loaded in another one.
OBJECT = "object"


@dataclass(frozen=True)
class Origin:
    """Where a backend comes from.

    Attributes:
        spec: Its name on the command line.
        kind: "file", "entry point", "callable" or "object".
        place: The path, module or framework, depending on the kind.
        attribute: The name of the object there.
        deviations: The file of its known deviations, which need not exist.
        options: The options of the command line that it was made with, without the dtypes.
    """

    spec: str
    kind: str
    place: str
    attribute: str
    deviations: str
    options: tuple[str, ...] = ()


class Identity(TypedDict):
    """Three fields of a description, see ``sources.check_unchanged``."""

    device: str
    versions: Mapping[str, str]
    sources: Mapping[str, str]


@dataclass(frozen=True)
class Description:
    """What the suite knows about a backend, as data that can be sent between processes.

    Attributes:
        name: Its name.
        capabilities: What it claims.
        device: The device that it computes on.
        versions: Versions of its libraries, the one under test first.
        sources: SHA-256 of its source files by module (see ``sources.py``).
        forms: The protocols that it satisfies, by their names in FORMS.
        methods: Names of its public methods.
        reproducer: The parts of scripts that it provides; None if it provides none.
        imports_suite: Whether its module imports this suite, which a script then has to replace.
        origin: Where it comes from.
        tried: The result of the trial of a callable, in the backend's own format. It is passed to later processes that
            make the same backend, so that they need no trial.
        modes: Names of the other ways of calling it.
    """

    name: str
    capabilities: Capabilities
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    forms: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    reproducer: ReproducerParts | None = None
    imports_suite: bool = False
    origin: Origin | None = None
    tried: bytes | None = None
    modes: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """Version of the library under test, the first that the adapter lists."""
        return next(iter(self.versions.values()), None)

    @property
    def spec(self) -> str:
        """Its name on the command line."""
        return self.name if self.origin is None else self.origin.spec

    @property
    def deviations(self) -> Path | None:
        """The file of known deviations."""
        return None if self.origin is None else Path(self.origin.deviations)


def describe(backend: Backend, origin: Origin | None = None) -> Description:
    """Describe a backend.

    Args:
        backend: The backend.
        origin: Where it comes from.

    Raises:
        TypeError: Its versions or the parts of scripts have the wrong type.
    """
    claims = backend.capabilities
    refused = Bridge(backend).refused
    if refused:
        why = f"{next(iter(refused.values()))}; they are given as contiguous copies"
        claims = replace(claims, left_out=(*claims.left_out, (f"layouts {', '.join(refused)}", why)))
    tried = getattr(backend, "tried", None)
    return Description(
        name=backend.name,
        capabilities=claims,
        **identity(backend, {}),
        forms=tuple(name for name, form in FORMS.items() if isinstance(backend, form)),
        methods=tuple(n for n in dir(backend) if not n.startswith("_") and callable(getattr(backend, n, None))),
        reproducer=_usable(backend.reproducer()) if isinstance(backend, Reproducer) else None,
        imports_suite=origin is not None and _imports_suite(backend),
        origin=origin,
        tried=tried if type(tried) is bytes else None,
        modes=_names(backend.modes()) if isinstance(backend, Modes) else (),
    )


def identity(backend: Backend, sources: Mapping[str, str]) -> Identity:
    """The parts of a description by which a run notices that a backend has been replaced.

    Raises:
        TypeError: Its versions have the wrong type.
    """
    return {
        "device": printable(str(getattr(backend, "device", "cpu"))),
        "versions": _versions(getattr(backend, "versions", {})),
        "sources": sources,
    }


def _versions(versions: Any) -> dict[str, str]:
    """At most ``MOST`` names and versions; raises TypeError for anything but a mapping, which might be endless."""
    if not isinstance(versions, Mapping):
        raise TypeError(f"versions must map names to versions, not be a {type(versions).__name__}")
    return {printable(str(k)): printable(str(v)) for k, v in islice(versions.items(), MOST)}


def _names(modes: Any) -> tuple[str, ...]:
    """At most ``MOST`` names of modes; raises TypeError for anything but a mapping of strings."""
    names = tuple(islice(modes, MOST)) if isinstance(modes, Mapping) else (None,)
    if not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise TypeError("modes() must map names, such as 'vmap', to factories of backends")
    return names


def _usable(parts: ReproducerParts) -> ReproducerParts:
    """Parts from which a script can be made; raises TypeError for others, so that every failure has a script."""
    try:
        texts = [parts.setup, *parts.calls, *parts.calls.values()]
        texts += [parts.array.format(array="x", dtype="float32"), parts.result.format(value="x")]
        wrong = "" if isinstance(parts, ReproducerParts) and all(type(text) is str for text in texts) else "not all are"
    except Exception as error:  # noqa: BLE001 - whatever they are, a script cannot be made from them
        wrong = str(error) or type(error).__name__
    if wrong:
        raise TypeError(f"reproducer() must return ReproducerParts, of strings that can be filled in: {wrong}")
    return ReproducerParts(parts.setup, parts.array, parts.result, dict(parts.calls))


def _imports_suite(backend: Backend) -> bool:
    """Whether a module that defines the backend's class, or a base class, imports this suite."""
    for kind in type(backend).__mro__:
        module = sys.modules.get(kind.__module__)
        try:
            if module is not None and "xent_conformance" in inspect.getsource(module):
                return True
        except (OSError, TypeError):
            continue
    return False


def as_data(description: Description) -> dict[str, Any]:
    """A description as dictionaries, tuples, strings and numbers."""
    parts, claims = description.reproducer, description.capabilities
    chosen = claims.conventions
    conventions = {**chosen.choices(), "documentation": dict(chosen.documentation), "basis": dict(chosen.basis)}
    precision: Any = claims.precision
    if isinstance(precision, Mapping):
        precision = {name: one and asdict(one) for name, one in precision.items()}
    elif precision is not None:
        precision = asdict(precision)
    return {
        **{f.name: getattr(description, f.name) for f in fields(Description)},
        "capabilities": {
            **{f.name: getattr(claims, f.name) for f in fields(Capabilities)},
            "precision": precision,
            "conventions": conventions,
        },
        "versions": dict(description.versions),
        "sources": dict(description.sources),
        "reproducer": None if parts is None else {**parts._asdict(), "calls": dict(parts.calls)},
        "origin": None if description.origin is None else asdict(description.origin),
    }


def from_data(data: Mapping[str, Any]) -> Description:
    """The inverse of :func:`as_data`."""
    claims, parts, origin = data["capabilities"], data["reproducer"], data["origin"]
    precision = claims["precision"]
    if isinstance(precision, dict):
        single = set(precision) == {f.name for f in fields(Precision)}
        precision = Precision(**precision) if single else {k: v and Precision(**v) for k, v in precision.items()}
    conventions = Conventions(**claims["conventions"])
    return Description(
        **{
            **data,
            "capabilities": Capabilities(**{**claims, "precision": precision, "conventions": conventions}),
            "reproducer": None if parts is None else ReproducerParts(**parts),
            "origin": None if origin is None else Origin(**origin),
        }
    )
