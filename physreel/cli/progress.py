"""The bar of commands that take long."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class Bar:
    """A bar with clips/s and time left, made when the first news comes so that errors before it stand alone."""

    def __init__(self, wanted: bool | None) -> None:
        shown = sys.stderr.isatty() if wanted is None else wanted
        self.bar: Any = None
        self.update: Callable[[int, int, int], None] | None = self._update if shown else None

    def _update(self, done: int, total: int, failed: int) -> None:
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(
                total=total,
                initial=done,
                unit="clip",
                file=sys.stderr,
                dynamic_ncols=True,
                smoothing=0.1,
                mininterval=0.5,
            )
        if failed:
            self.bar.set_postfix_str(f"{failed} failed", refresh=False)
        self.bar.update(done - self.bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
