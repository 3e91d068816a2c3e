import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from indexer.errors import LockedError
from indexer.storage.lock import WriterLock, writer_pid

HOLDER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from indexer.errors import LockedError
    from indexer.storage.lock import WriterLock
    sys.stdin.readline()
    try:
        lock = WriterLock(Path(sys.argv[1]))
    except LockedError as error:
        print("refused", error.holder_pid, flush=True)
    else:
        print("won", flush=True)
        sys.stdin.readline()
    """
)


def start(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def say(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def hear(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_eight_starters_have_one_winner_that_the_others_name(tmp_path: Path) -> None:
    processes = [start(tmp_path / "lock") for _ in range(8)]
    for process in processes:
        say(process)
    answers = [hear(process) for process in processes]
    winners = [p for p, answer in zip(processes, answers, strict=True) if answer == ["won"]]
    assert len(winners) == 1
    refused = [answer for answer in answers if answer != ["won"]]
    assert refused == [["refused", str(winners[0].pid)]] * 7
    for process in processes:
        process.communicate("end\n")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    holder = start(tmp_path / "lock")
    say(holder)
    assert hear(holder) == ["won"]
    with pytest.raises(LockedError, match=f"process {holder.pid} is writing"):
        WriterLock(tmp_path / "lock")
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    WriterLock(tmp_path / "lock").release()


def test_second_lock_in_the_same_process_names_itself(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock")
    with pytest.raises(LockedError) as caught:
        WriterLock(tmp_path / "lock")
    assert caught.value.holder_pid == os.getpid()
    lock.release()
    lock.release()
    WriterLock(tmp_path / "lock").release()


def test_refusal_without_a_pid_comes_within_a_second(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock")
    (tmp_path / "lock").write_bytes(b"")
    with pytest.raises(LockedError, match="another process") as caught:
        WriterLock(tmp_path / "lock")
    assert caught.value.holder_pid is None
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, sys, time
        from pathlib import Path
        from indexer.storage.lock import WriterLock
        lock = WriterLock(Path(sys.argv[1]))
        child = os.fork()
        if child == 0:
            sys.stdin.readline()
            os._exit(0)
        print(child, flush=True)
        os.kill(os.getpid(), 9)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(hear(process)[0])
    process.wait()
    for _ in range(50):
        try:
            WriterLock(tmp_path / "lock").release()
            break
        except LockedError:
            time.sleep(0.02)
    else:
        pytest.fail("the orphan still holds the lock")
    os.kill(child, 0)  # it is alive all the same
    assert process.stdin is not None
    process.stdin.close()
    assert process.stdout is not None
    process.stdout.close()


def test_writer_pid_is_that_of_the_holder_while_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert writer_pid(path) is None
    lock = WriterLock(path)
    assert writer_pid(path) == os.getpid()
    lock.release()
    assert writer_pid(path) is None


@pytest.mark.parametrize("content", ["", "nobody", "999999999", "9" * 40])
def test_writer_pid_of_nobody_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    assert writer_pid(tmp_path / "lock") is None


def test_writer_pid_that_another_process_has_by_now_is_none(tmp_path: Path) -> None:
    """What a killed writer left behind: this process started after it was written."""
    path = tmp_path / "lock"
    path.write_text(str(os.getpid()))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert writer_pid(path) is None
