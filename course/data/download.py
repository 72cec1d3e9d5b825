"""Downloads that check themselves.

``fetch("mnist")`` returns a folder with the data set, downloading it the first time. What is listed in
``datasets/sources.toml`` comes with a SHA-256; a file that differs is not kept. Every step writes beside the
goal and then renames, so that whatever goes wrong at whatever moment, nothing half-written stays.

The cache is ``~/.cache/explainability``, or the folder in the environment variable COURSE_DATA.
"""

import contextlib
import errno
import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from course.data import DataError

SOURCES = Path(__file__).resolve().parents[2] / "datasets" / "sources.toml"
CHUNK = 1 << 20
SILENCE = 30  # seconds without a byte after which a server counts as gone


def cache_folder() -> Path:
    """Where downloads live."""
    chosen = os.environ.get("COURSE_DATA")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "explainability"


def fetch(name: str, folder: Path | None = None, sources: Path = SOURCES) -> Path:
    """The folder that holds the data set ``name``, complete and checked; downloads what is not there yet."""
    listed = tomllib.loads(sources.read_text(encoding="utf-8"))
    if name not in listed:
        raise DataError(f"There is no data set {name!r}; {sources.name} lists: {', '.join(listed)}.")
    folder = Path(folder or cache_folder())
    goal = folder / name
    if goal.is_dir():
        return goal
    with _plain_words_for_the_disk(folder):
        archives = folder / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as unfinished:
            content = Path(unfinished) / name
            content.mkdir()
            for file in listed[name]["files"]:
                _unpack(_download(file, archives), content, file)
            _put_in_place(content, goal)
    return goal


def _download(file: dict[str, Any], archives: Path) -> Path:
    """One checked archive, from the disk if it is there, else from the first address that has it."""
    archive = archives / file["name"]
    if archive.exists():
        if _sha256(archive) != file["sha256"]:
            raise DataError(f"{archive} is damaged: delete it and run this again.")
        return archive
    problems = []
    for url in file["urls"]:
        try:
            return _download_from(url, archive, file)
        except DataError as problem:
            problems.append(str(problem))
    by_hand = f"or put the file {file['name']} into {archives} yourself, then run this again."
    raise DataError(f"{'; '.join(problems)}. Check the network, {by_hand}")


def _download_from(url: str, archive: Path, file: dict[str, Any]) -> Path:
    handle, unfinished = tempfile.mkstemp(prefix=f".{archive.name}-", dir=archive.parent)
    digest = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as out:
            for chunk in _chunks(url, file.get("bytes")):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != file["sha256"]:
            raise DataError(f"{url} sent another file than the course expects (its SHA-256 differs)")
        os.replace(unfinished, archive)
    finally:
        Path(unfinished).unlink(missing_ok=True)
    return archive


def _chunks(url: str, size: int | None) -> Iterator[bytes]:
    """The bytes behind an address, with a progress bar; a broken connection is an error, not an end."""
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=SILENCE) as response:
            promised = int(response.headers.get("Content-Length") or size or 0)
            title = url.rsplit("/", 1)[-1]
            with tqdm(desc=title, total=promised or None, unit="B", unit_scale=True) as bar:
                while chunk := response.read(CHUNK):
                    received += len(chunk)
                    bar.update(len(chunk))
                    yield chunk
    except urllib.error.HTTPError as error:
        raise DataError(f"{url} answers {error.code} {error.reason}") from None
    except http.client.HTTPException as error:
        raise DataError(f"the connection to {url} broke off after {received:,} bytes ({error!r})") from None
    except OSError as error:
        if received:
            raise DataError(f"the connection to {url} broke off after {received:,} bytes ({error})") from None
        raise DataError(f"{url} cannot be reached ({getattr(error, 'reason', error)})") from None
    if received < promised:
        raise DataError(f"the connection to {url} broke off after {received:,} of {promised:,} bytes")


def _unpack(archive: Path, content: Path, file: dict[str, Any]) -> None:
    into = content / file["unpack"]
    into.mkdir(parents=True, exist_ok=True)
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            keep = file.get("keep", "")
            members = [member for member in tar if member.name.startswith(keep)]
            tar.extractall(into, members=members, filter="data")
    elif archive.suffix == ".gz":
        with gzip.open(archive) as packed, open(into / archive.stem, "wb") as plain:
            shutil.copyfileobj(packed, plain)
    else:
        shutil.copy(archive, into / archive.name)


def _put_in_place(content: Path, goal: Path) -> None:
    """All at once; whoever was faster wins, for both have the same content."""
    try:
        content.rename(goal)
    except OSError:
        if not goal.is_dir():
            raise


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _plain_words_for_the_disk(folder: Path) -> Iterator[None]:
    elsewhere = "choose another folder with the environment variable COURSE_DATA"
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"There is no space left in {folder}: make room there, or {elsewhere}.") from None
        raise DataError(f"{folder} cannot be written ({error}): {elsewhere}.") from None
