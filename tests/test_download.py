"""Downloads: what arrives is complete and checked; else one clear sentence, and nothing half-written."""

import errno
import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from course.data import DataError, download
from course.data.download import fetch

PAGE = b"ten thousand digits" * 1000


def tar_gz(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Server:
    """A web server on this machine that may be honest, missing, or break off in the middle."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.broken: set[str] = set()
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                if self.path not in server.files:
                    return self.send_error(404)
                body = server.files[self.path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path in server.broken else body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def sources(folder: Path, *files: dict[str, str], name: str = "tiny") -> Path:
    lines = [f"[{name}]", 'title = "a test"']
    for file in files:
        lines += [f"[[{name}.files]]", *(f"{key} = {value}" for key, value in file.items())]
    path = folder / "sources.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def entry(urls: list[str], content: bytes, unpack: str = "", **more: str) -> dict[str, str]:
    quoted = ", ".join(f'"{url}"' for url in urls)
    name = urls[0].rsplit("/", 1)[-1]
    digest = hashlib.sha256(content).hexdigest()
    fields = {"name": f'"{name}"', "urls": f"[{quoted}]", "sha256": f'"{digest}"', "unpack": f'"{unpack}"'}
    return fields | {key: f'"{value}"' for key, value in more.items()}


def left_over(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def test_a_data_set_arrives_unpacked_and_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    archive = tar_gz({"a/en/one.txt": PAGE, "a/hn/other.txt": b"not kept"})
    server.files = {"/one.tar.gz": archive, "/two.gz": gzip.compress(PAGE, mtime=0)}
    listed = sources(
        tmp_path,
        entry([server.address + "/one.tar.gz"], archive, keep="a/en"),
        entry([server.address + "/two.gz"], server.files["/two.gz"], unpack="deep/raw"),
    )
    cache = tmp_path / "cache"
    folder = fetch("tiny", cache, listed)
    assert left_over(folder) == ["a/en/one.txt", "deep/raw/two"]
    assert (folder / "a/en/one.txt").read_bytes() == (folder / "deep/raw/two").read_bytes() == PAGE
    assert fetch("tiny", cache, listed) == folder
    assert server.asked == ["/one.tar.gz", "/two.gz"]


def test_the_second_address_is_used_when_the_first_is_gone(server: Server, tmp_path: Path) -> None:
    server.files = {"/mirror/two.gz": gzip.compress(PAGE)}
    urls = [server.address + "/two.gz", server.address + "/mirror/two.gz"]
    listed = sources(tmp_path, entry(urls, server.files["/mirror/two.gz"]))
    assert (fetch("tiny", tmp_path / "cache", listed) / "two").read_bytes() == PAGE


def test_a_file_put_there_by_hand_needs_no_network(tmp_path: Path) -> None:
    content = gzip.compress(PAGE)
    listed = sources(tmp_path, entry(["http://127.0.0.1:9/two.gz"], content))
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "two.gz").write_bytes(content)
    assert (fetch("tiny", tmp_path, listed) / "two").read_bytes() == PAGE


def refused(tmp_path: Path, listed: Path, says: str) -> None:
    """One sentence that names the trouble, and an empty cache."""
    cache = tmp_path / "cache"
    with pytest.raises(DataError, match=says) as caught:
        fetch("tiny", cache, listed)
    assert "\n" not in str(caught.value)
    assert left_over(cache) == []
    assert not (cache / "tiny").exists()


def test_no_network_is_said_with_the_remedy(tmp_path: Path) -> None:
    listed = sources(tmp_path, entry(["http://127.0.0.1:9/two.gz"], PAGE))
    refused(tmp_path, listed, r"cannot be reached.*put the file two.gz into .*archives yourself")


def test_a_missing_file_is_said(server: Server, tmp_path: Path) -> None:
    listed = sources(tmp_path, entry([server.address + "/two.gz"], PAGE))
    refused(tmp_path, listed, "two.gz answers 404")


def test_a_truncated_download_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.files, server.broken = {"/two.gz": PAGE}, {"/two.gz"}
    listed = sources(tmp_path, entry([server.address + "/two.gz"], PAGE))
    refused(tmp_path, listed, "broke off after 9,500 of 19,000 bytes")


def test_a_corrupt_download_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.files = {"/two.gz": PAGE[:-1] + b"!"}
    listed = sources(tmp_path, entry([server.address + "/two.gz"], PAGE))
    refused(tmp_path, listed, "another file than the course expects")


def test_a_damaged_archive_on_disk_is_never_used(tmp_path: Path) -> None:
    listed = sources(tmp_path, entry(["http://127.0.0.1:9/two.gz"], PAGE))
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "two.gz").write_bytes(PAGE[:100])
    with pytest.raises(DataError, match=r"two\.gz is damaged: delete it"):
        fetch("tiny", tmp_path, listed)
    assert not (tmp_path / "tiny").exists()


def test_a_full_disk_is_said_and_leaves_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    server.files = {"/two.gz": PAGE}
    listed = sources(tmp_path, entry([server.address + "/two.gz"], PAGE))
    monkeypatch.setattr(download.os, "fsync", full)
    refused(tmp_path, listed, r"no space left in .*: make room there, or choose another folder")


def test_an_interrupted_unpacking_leaves_no_data_set(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    server.files = {"/two.gz": gzip.compress(PAGE)}
    listed = sources(tmp_path, entry([server.address + "/two.gz"], server.files["/two.gz"]))
    cache = tmp_path / "cache"
    monkeypatch.setattr(download.shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("tiny", cache, listed)
    assert left_over(cache) == ["archives/two.gz"]  # checked, so the next run goes on from here
    monkeypatch.undo()
    assert (fetch("tiny", cache, listed) / "two").read_bytes() == PAGE


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    listed = sources(tmp_path, entry(["http://127.0.0.1:9/two.gz"], PAGE))
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(DataError, match=r"cannot be written .* COURSE_DATA"):
        fetch("tiny", tmp_path / "cache", listed)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set 'minst'; .* lists: mnist, babi, multi30k, cifar10"):
        fetch("minst", tmp_path)


def test_every_listed_source_is_complete() -> None:
    import tomllib

    listed = tomllib.loads(download.SOURCES.read_text(encoding="utf-8"))
    for source in listed.values():
        assert {"title", "home", "licence", "files"} <= source.keys()
        for file in source["files"]:
            assert len(bytes.fromhex(file["sha256"])) == 32
            assert file["urls"]
            assert "unpack" in file
