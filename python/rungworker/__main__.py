"""Runs one training job: ``python -m rungworker JOB.json``; or merges an adapter, see merge.py."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import threading
from pathlib import Path

from . import merge
from .protocol import Job, JobError, Speaker, Stopped, read_job, write_atomic

# Exit statuses. The events say the same in words; the status tells a crash from an answer.
DONE, FAILED, STOPPED = 0, 1, 3


def main() -> int:
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to standard error; events alone go to standard output
    speaker, asked = Speaker(stream), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        if sys.argv[1] == "merge":
            threading.Thread(target=_watch_stdin, daemon=True).start()
            speaker.say("done", result=merge.run(merge.read_merge(Path(sys.argv[2])), speaker))
            return DONE
        job = read_job(Path(sys.argv[1]))
        if job.options.die_with_stdin:
            threading.Thread(target=_watch_stdin, daemon=True).start()
        speaker.say("done", result=run(job, speaker, asked.is_set))
        return DONE
    except Stopped:
        speaker.say("error", code="interrupted", what="the training was stopped", do="run it again to continue", place="")
        return STOPPED
    except JobError as err:
        speaker.say("error", code=err.code, what=err.what, do=err.do, place=err.place)
        return FAILED
    except OSError as err:
        do = "make room on the disk" if err.errno == errno.ENOSPC else "make the directory writable"
        speaker.say("error", code="store", what=f"cannot be written: {err.strerror or err}", do=do, place=str(err.filename or ""))
        return FAILED
    except Exception as err:  # noqa: BLE001 - told below by what it is, or raised
        if not _out_of_memory(err):
            raise
        what = "the memory is not enough for this job"
        speaker.say("error", code="capacity", what=what, do="use a smaller batch, shorter rows or fewer targets", place="")
        return FAILED


def run(job: Job, speaker: Speaker, stop) -> dict:
    """Train, or give the result of the same job when it has ended before."""
    job.dir.mkdir(parents=True, exist_ok=True)
    if (ended := _ended(job)) is not None:
        return ended
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    speaker.say("progress", phase="load")
    import torch
    import transformers

    from . import adapter, base, check, journal, learner, search

    transformers.utils.logging.disable_progress_bar()
    if job.options.threads:
        torch.set_num_threads(job.options.threads)
    device = base.pick_device()
    dtype = base.pick_dtype(job.options.dtype, device)
    model = base.load_base(job, device, dtype)
    adapter.architecture(model.config)
    base.check_rows(job, model.config.vocab_size, model.config.max_position_embeddings)
    if stop():
        raise Stopped
    log = journal.read_journal(job.dir, job.digest, len(job.grid))
    if not log.path:
        log.path, model = _choose_path(job, model, dtype, speaker, log, (learner, check, search))
    result = search.Search(job, model, log, speaker, log.path == "packed", stop).run()
    write_atomic(job.dir / "done.json", json.dumps({"digest": job.digest, "result": result}).encode())
    for file in job.dir.glob("config-*.pt"):
        file.unlink()
    return result


def _choose_path(job: Job, model, dtype, speaker: Speaker, log, modules) -> tuple[str, object]:
    """The packed path if it can be used and agrees with plain PEFT on one batch, else the plain one with a note."""
    learner, check, search = modules
    why = learner.fast_path(model, job.options.path)
    if not why:
        speaker.say("progress", phase="check")
        gap, model = check.disagreement(model, job.grid[0], search.first_rows(job.train, 2))
        if gap > check.TOLERANCE[dtype]:
            why = f"its gradients differ from PEFT's by {gap:.2g} on one batch"
    if why:
        message = f"training takes the plain path: {why}"
        log.notes.append(message)
        speaker.note(message)
    return ("plain" if why else "packed"), model


def _ended(job: Job) -> dict | None:
    """The stored result of this very job, if its adapter is still there."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads((job.dir / "done.json").read_text(encoding="utf-8"))
        if stored["digest"] == job.digest and Path(stored["result"]["adapter"]).is_file():
            return stored["result"]
    return None


def _watch_stdin() -> None:
    """End with the parent: its end of the pipe closes when it dies, however it dies."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(STOPPED)


def _out_of_memory(err: Exception) -> bool:
    if isinstance(err, MemoryError) or type(err).__name__ == "OutOfMemoryError":
        return True
    return isinstance(err, RuntimeError) and "can't allocate memory" in str(err)


if __name__ == "__main__":
    sys.exit(main())
