"""Stores: what is written appears whole, what is created is created once, what cannot be is told without secrets."""

from __future__ import annotations

import errno
import io
import os
import threading

import pytest

from physreel.errors import InputError, MissingDependencyError
from physreel.storage import FolderStore, RemoteStore, StoreError, is_remote, open_store


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    if request.param == "folder":
        yield open_store(tmp_path / "there")
        return
    import fsspec

    yield open_store(f"memory://{tmp_path.name}/there")
    fsspec.filesystem("memory").store.clear()


def test_files_are_found_by_name_size_and_content(store):
    assert (store.top(), store.names(), store.size("a")) == ([], [], None)
    store.write("a", b"one")
    store.write("deep/er/b", b"two!")
    store.write("a", b"three")
    assert store.top() == ["a", "deep"]
    assert store.sizes() == {"a": 5, "deep/er/b": 4}
    assert store.names("deep") == ["deep/er/b"]
    assert store.size("a") == 5
    assert store.read("a") == b"three"
    with store.open("deep/er/b") as file:
        assert file.read() == b"two!"
    store.remove("a")
    store.remove("a")
    assert store.size("a") is None
    with pytest.raises(FileNotFoundError):
        store.read("a")


def test_a_file_is_put_whole_and_gone_from_where_it_was(store, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    store.put(source, "data/x")
    assert store.sizes() == {"data/x": 1000}
    assert not source.exists()
    with pytest.raises(FileNotFoundError):
        store.put(source, "data/y")


@pytest.mark.parametrize("links", [True, False])
def test_of_many_who_create_at_once_one_succeeds(tmp_path, monkeypatch, links):
    def no_links(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    store, won = open_store(tmp_path / "there"), []
    start = threading.Barrier(8)

    def create(k: int) -> None:
        start.wait()
        if store.create("lock", str(k).encode()):
            won.append(k)

    threads = [threading.Thread(target=create, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("lock") == str(won[0]).encode()
    assert store.names() == ["lock"]


def test_what_is_there_is_not_created_again(store):
    assert store.create("lock", b"1")
    assert not store.create("lock", b"2")
    assert store.read("lock") == b"1"


@pytest.mark.parametrize(
    ("address", "kind"),
    [("out/falls", FolderStore), ("file:///tmp/falls", FolderStore), ("memory://a/b", RemoteStore)],
)
def test_addresses_lead_to_stores(address, kind):
    assert isinstance(open_store(address), kind)
    assert is_remote(address) == (kind is RemoteStore)


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("nothing://a/b", InputError, "Protocol not known"),
        ("memory://", InputError, "names no place"),
        ("abfs://a/b", MissingDependencyError, "pip install adlfs"),
    ],
)
def test_addresses_that_cannot_be_are_refused(address, error, words):
    with pytest.raises(error, match=words):
        open_store(address)


@pytest.mark.parametrize("user", ["AKIANAME:topsecret", "AKIANAME:top/secret/", "AKIANAME"])
def test_credentials_in_an_address_are_refused_and_not_repeated(user):
    with pytest.raises(InputError, match="by the environment") as caught:
        open_store(f"s3://{user}@bucket/falls")
    assert "AKIANAME" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_at_sign_in_a_name_is_no_user():
    assert open_store("memory://bucket/a@b").address == "memory://bucket/a@b"


def test_a_remote_file_that_breaks_off_while_it_is_read_is_tried_again_and_told_without_secrets(monkeypatch):
    monkeypatch.setattr("physreel.storage.remote.PAUSE_S", 0.001)
    monkeypatch.setenv("MY_SECRET_KEY", "verysecret")
    store = open_store("memory://breaks/off")
    store.write("a", bytes(range(256)) * 1000)

    class Breaking(io.BytesIO):
        left = 2

        def read(self, size=-1):
            if Breaking.left:
                Breaking.left -= 1
                raise ConnectionResetError("reset, verysecret")
            return super().read(size)

    monkeypatch.setattr(store._fs, "open", lambda path, mode: Breaking(store._fs.cat_file(path)))
    with store.open("a") as file:
        assert file.seek(-300, 2) == 256_000 - 300
        assert file.read() == (bytes(range(256)) * 1000)[-300:]
        assert file.seek(10) == 10
        assert file.read(5) == bytes(range(10, 15))
    Breaking.left = 99
    with store.open("a") as file, pytest.raises(StoreError, match=r"cannot use memory://breaks/off: .*reset, …"):
        file.read(5)


@pytest.mark.parametrize("address", ["", " "])
def test_no_place_is_refused(address):
    with pytest.raises(InputError, match="no place is named"):
        open_store(address)


def test_what_may_pass_is_tried_again_and_what_may_not_is_told_at_once(monkeypatch):
    monkeypatch.setattr("physreel.storage.remote.PAUSE_S", 0.0)
    monkeypatch.setenv("SOME_CLOUD_SECRET_KEY", "hush-hush")
    store, asked = open_store("memory://bucket/x"), []

    def failing(error):
        def fail(*_):
            asked.append(error)
            raise error

        return fail

    for error, tries in ((ConnectionResetError("reset, hush-hush"), 4), (PermissionError("Forbidden hush-hush"), 1)):
        asked.clear()
        monkeypatch.setattr(store._fs, "cat_file", failing(error))
        with pytest.raises(StoreError, match="run the same command again") as caught:
            store.read("a")
        assert "hush" not in str(caught.value)
        assert len(asked) == tries
