"""A data set's page on this machine alone: rows are read, and their films made, when they are looked at."""

from __future__ import annotations

import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from physreel.errors import InputError
from physreel.loaders.records import Record
from physreel.storage import Address
from physreel.view.clip import FILES, has_of, stem, write_clip, write_poster
from physreel.view.entries import entry_of
from physreel.view.film import Encode
from physreel.view.folder import assets, chunk_name, chunk_script, summary
from physreel.view.reading import LIGHT, Part, Rows
from physreel.view.scripts import script

HOST = "127.0.0.1"
_PARTS_HELD = 2
_BLOCK = 1 << 18
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".flac": "audio/flac",
}
_CLIP_FILE = re.compile(r"clips/\d{4,6}/(\d{8})(\.js|-[a-z]+\.(?:mp4|jpg|png|flac))")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Site:
    """The files of a view by name; those of clips are made in a temporary folder when they are first asked for."""

    def __init__(self, dataset: Address, encode: Encode, *, scene: str | None, limit: int | None, folder: Path) -> None:
        self.rows = Rows(dataset, scene=scene, limit=limit)
        self.encode = encode
        self.folder = folder
        self.problems = list(self.rows.problems)
        self._locks = [threading.Lock() for _ in range(16)]
        self._held: OrderedDict[tuple[Part, bool], list[Record]] = OrderedDict()
        self._reading = threading.Lock()
        entries, numbers = self._entries()
        told = summary(self.rows, len(entries), self.problems)
        self._fixed = assets() | {"data/summary.js": script("summary", told).encode()}
        for chunk in range(told["chunks"]):
            self._fixed[chunk_name(chunk)] = chunk_script(chunk, entries, numbers).encode()
        self.count = len(entries)

    def _entries(self) -> tuple[list[Any], list[int]]:
        entries: list[Any] = []
        numbers: list[int] = []
        for part in self.rows.parts:
            has = has_of(part.columns)
            try:
                records = self.rows.read(part, LIGHT)
            except (OSError, ValueError, ArithmeticError, KeyError, RecursionError, InputError) as error:
                self.problems.append(f"{part.shard.file} cannot be read: {type(error).__name__}: {error}"[:240])
                continue
            entries += [entry_of(record, has) for record in records]
            numbers += range(part.first, part.first + len(records))
        return entries, numbers

    def find(self, name: str) -> bytes | Path | None:
        """A file's bytes, or where it is; None where there is none."""
        name = name or "index.html"
        if name in self._fixed:
            return self._fixed[name]
        match = _CLIP_FILE.fullmatch(name)
        if match is None or int(match[1]) >= self.rows.count or match[2] not in FILES.values():
            return None
        number = int(match[1])
        path = self.folder / f"{stem(number)}{match[2]}"
        # Asked for several files of a clip at once, the clip is made once.
        with self._locks[number % len(self._locks)]:
            if not path.exists():
                self._make(number, only_poster=match[2] == FILES["poster"])
        return path if path.exists() else None

    def _make(self, number: int, *, only_poster: bool) -> None:
        part = self.rows.part_of(number)
        at = number - part.first
        # A grid asks for many stills: they cost a tenth of a whole clip.
        if only_poster and "video" in part.columns and write_poster(self._records(part, True)[at], number, self.folder):
            return
        if not (self.folder / f"{stem(number)}{FILES['script']}").exists():
            write_clip(self._records(part, False)[at], number, self.folder, self.encode)

    def _records(self, part: Part, light: bool) -> list[Record]:
        key = (part, light)
        with self._reading:
            if key not in self._held:
                self._held[key] = self.rows.read(part, ("video", "frame_count") if light else None)
                while len(self._held) > _PARTS_HELD:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "physreel"
    sys_version = ""
    site: ClassVar[Site]
    names: ClassVar[frozenset[str]]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what was asked for is the page's own business."""

    def _answer(self, *, with_body: bool) -> None:
        try:
            # A page elsewhere may point a name of its own at this address; it must not read what is served here.
            if self.headers.get("Host") not in self.names:
                self._refuse(HTTPStatus.FORBIDDEN)
                return
            try:
                found = self.site.find(self.path.partition("?")[0].lstrip("/"))
            except Exception:  # one row that cannot be read must not end the others
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
                return
            if found is None:
                self._refuse(HTTPStatus.NOT_FOUND)
            else:
                self._send(found, with_body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, found: bytes | Path, with_body: bool) -> None:
        name = self.path.partition("?")[0]
        size = len(found) if isinstance(found, bytes) else found.stat().st_size
        part = wanted_range(self.headers.get("Range"), size)
        if part is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, last = part
        whole = last - first + 1 == size
        self.send_response(HTTPStatus.OK if whole and "Range" not in self.headers else HTTPStatus.PARTIAL_CONTENT)
        if not whole or "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Type", _TYPES.get(Path(name).suffix, _TYPES[".html"]))
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
        if not with_body:
            return
        if isinstance(found, bytes):
            self.wfile.write(found[first : last + 1])
            return
        with found.open("rb") as file:
            file.seek(first)
            left = last - first + 1
            while left and (block := file.read(min(left, _BLOCK))):
                self.wfile.write(block)
                left -= len(block)


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte that a Range header asks for; all without one that is understood; None beyond the end."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return 0, size - 1
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, size - 1) if length else None
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return (first, last) if first <= last else None


def serve_view(
    dataset: Address,
    *,
    encode: Encode,
    scene: str | None = None,
    limit: int | None = None,
    port: int = 0,
    ready: Callable[[str, Site], None],
) -> None:
    """Serve a data set's page at 127.0.0.1 until KeyboardInterrupt, which ends it without an error.

    Args:
        dataset: folder, or address that fsspec knows.
        encode: makes an mp4 of frames.
        scene: only this scene.
        limit: at most so many clips.
        port: 0 for any that is free.
        ready: told the page's address once it can be opened.

    Raises:
        InputError: the data set cannot be read, or the port not be used.
    """
    with tempfile.TemporaryDirectory(prefix="physreel-view-") as folder:
        site = Site(dataset, encode, scene=scene, limit=limit, folder=Path(folder))
        handler = type("Handler", (_Handler,), {"site": site})
        try:
            server = ThreadingHTTPServer((HOST, port), handler)
        except OSError as error:
            raise InputError(
                f"--port {port} cannot be used: {error.strerror}; name another, or 0 for any that is free"
            ) from None
        at = server.server_address[1]
        # Browsers leave out the port that http has anyway.
        ports = (f":{at}", "") if at == 80 else (f":{at}",)
        names = frozenset(f"{name}{port}" for name in (HOST, "localhost") for port in ports)
        handler.names = names  # type: ignore[attr-defined]
        # A film that is still being sent must not hold up the end.
        server.daemon_threads = True
        server.block_on_close = False
        try:
            ready(f"http://{HOST}:{at}/", site)
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
