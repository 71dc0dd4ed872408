"""Conversion between NumPy arrays and a backend's own, and the layouts that these cannot have.

If the bridge of a backend raises for a layout, its arrays cannot have that layout. The values are then passed as
contiguous arrays, and the run reports that before judging.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from xent_conformance.calling.exceptions import message_of
from xent_conformance.calling.guarded import Guarded
from xent_conformance.interface import ArrayBridge, Backend
from xent_conformance.problem import AnyArray
from xent_conformance.strategies.layouts import LAYOUTS, REPEATED, laid_out


class Bridge:
    """Converts the arrays of calls; a backend without a bridge gets NumPy arrays."""

    def __init__(self, backend: Backend) -> None:
        """Convert with the bridge of a backend, if it has one."""
        self._own = backend if isinstance(backend, ArrayBridge) else None

    def asarray(self, array: AnyArray) -> Any:
        """The backend's own array."""
        return array if self._own is None else self._own.asarray(array)

    def asnumpy(self, array: Any) -> AnyArray:
        """A NumPy array of a backend's own."""
        return array if self._own is None else self._own.asnumpy(array)

    def given(self, array: AnyArray, band: int, *, ordinary: bool) -> tuple[Guarded, Any]:
        """An array between guard bands, and the backend's own array of it.

        The array is contiguous if the backend's arrays cannot have its layout. Raises what the bridge raises.
        """
        guarded = Guarded(array, band, ordinary=ordinary)
        try:
            return guarded, self.asarray(guarded.view)
        except Exception:
            if array.flags.c_contiguous or not self.refused:
                raise
            guarded = Guarded(np.array(array, order="C"), band, ordinary=ordinary)
            return guarded, self.asarray(guarded.view)

    def keeps_strides(self, array: AnyArray) -> bool:
        """Whether the backend's own array has the strides of this one; a guess if the bridge rejects the array."""
        try:
            return bool(self.asnumpy(self.asarray(array)).strides == array.strides)
        except Exception:  # noqa: BLE001 - whatever a bridge raises here, it raises in the call that follows
            return array.flags.c_contiguous or not self.refused

    @cached_property
    def refused(self) -> dict[str, str]:
        """Layouts for which the bridge raises, with the error; none if it raises for a contiguous array too."""
        plain = np.arange(6, dtype=np.float32).reshape(2, 3)
        errors: dict[str, str] = {}
        if self._own is None or self._raised(plain) is not None:
            return errors
        for layout in (*LAYOUTS[1:], REPEATED):
            why = self._raised(laid_out(plain, layout))
            if why is not None:
                errors[layout] = why
        return errors

    def _raised(self, array: AnyArray) -> str | None:
        try:
            self.asarray(array)
        except Exception as error:  # noqa: BLE001 - a bridge is foreign code
            return f"asarray raised {type(error).__name__}: {message_of(error).strip().partition(chr(10))[0]}"[:200]
        return None
