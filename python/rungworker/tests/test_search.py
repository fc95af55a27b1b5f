"""The race of configurations and the final run, on a model small enough to train in a second."""

from __future__ import annotations

import contextlib
import hashlib
import json

import pytest
import torch

from rungworker import __main__ as worker
from rungworker import base, journal, search
from rungworker.learner import Schedule
from rungworker.protocol import Job, JobError, Options, Speaker, Stopped, read_job

from .conftest import params, rows, tiny_llama


class Heard:
    """A stream that keeps the events."""

    def __init__(self):
        self.events = []

    def write(self, text):
        self.events.append(json.loads(text))

    def flush(self):
        pass


def job(folder, grid, wall=600.0, **options) -> Job:
    return Job("d", folder / "base", rows(64), rows(12, seed=9), grid, wall, 1, folder, Options(**options))


def run(j: Job, fast=True, stop=lambda: False, model=None):
    heard = Heard()
    log = journal.read_journal(j.dir, j.digest, len(j.grid))
    found = search.Search(j, model or tiny_llama(), log, Speaker(heard), fast, stop).run()
    return found, heard.events


def test_the_race_finds_the_rate_that_learns(tmp_path):
    grid = [params(learning_rate=lr, epochs=6) for lr in (1e-5, 1e-4, 5e-3)]
    found, _ = run(job(tmp_path, grid))
    assert found["params"]["learning_rate"] == 5e-3
    assert [t["chosen"] for t in found["trials"]] == [False, False, True]
    assert found["trials"][2]["examples"] == 2 * found["trials"][0]["examples"]
    assert found["dev_loss"] == min(c["dev_loss"] for c in found["checkpoints"])
    assert found["curve"][-1]["examples"] == 6 * 64
    with open(found["adapter"], "rb") as f:
        assert hashlib.file_digest(f, "sha256").hexdigest() == found["digest"]
    assert (tmp_path / "peft" / "adapter_model.safetensors").is_file()


def test_no_time_for_a_race_is_said(tmp_path):
    found, events = run(job(tmp_path, [params(), params(learning_rate=1e-3)], wall=0.01))
    assert found["params"]["learning_rate"] == 5e-3
    assert any("too little time" in e.get("message", "") for e in events)
    assert any("too little time" in n for n in found["notes"])


def test_a_diverging_configuration_leaves_the_race(tmp_path):
    found, events = run(job(tmp_path, [params(learning_rate=1e25, epochs=4), params(epochs=4)]))
    assert found["params"]["learning_rate"] == 5e-3
    assert found["trials"][0]["diverged"]
    assert any("leaves the race" in e.get("message", "") for e in events)


def test_all_diverging_is_an_error(tmp_path):
    with pytest.raises(JobError, match="not a number") as err:
        run(job(tmp_path, [params(learning_rate=1e25)]))
    assert err.value.code == "input"


@pytest.mark.parametrize("fast", [True, False])
def test_a_stopped_job_continues_to_the_same_result(tmp_path, fast):
    grid = [params(dropout=0.1, epochs=4), params(dropout=0.1, learning_rate=1e-4, epochs=4)]
    # Time without end: on a busy machine a schedule cut to the time left would differ between the two.
    whole, _ = run(job(tmp_path / "whole", grid, wall=1e6), fast)
    steps = 0

    def stop():
        nonlocal steps
        steps += 1
        return steps % 37 == 0

    j = job(tmp_path / "cut", grid, wall=1e6)
    for stops in range(100):  # noqa: B007
        try:
            cut, _ = run(j, fast, stop)
            break
        except Stopped:
            continue
    assert stops >= 2
    assert cut["digest"] == whole["digest"]


def test_a_job_stopped_in_each_evaluation_makes_up_for_it(tmp_path, monkeypatch):
    grid = [params(epochs=4)]
    whole, _ = run(job(tmp_path / "whole", grid, wall=1e6))
    j, stops, started = job(tmp_path / "broken", grid, wall=1e6), set(), []
    evaluate = search.Search._evaluate

    def watched(self):
        started.append(self.learner.steps)
        evaluate(self)
        started.pop()

    monkeypatch.setattr(search.Search, "_evaluate", watched)

    def stop():  # once in each evaluation
        now = started[-1] if started else None
        if now is None or now in stops:
            return False
        stops.add(now)
        started.clear()
        return True

    found = None
    while found is None:
        with contextlib.suppress(Stopped):
            found, _ = run(j, stop=stop)
    assert len(stops) == search.EVALS
    assert found["checkpoints"] == [c | {"adapter": c["adapter"].replace("whole", "broken")} for c in whole["checkpoints"]]


def test_a_journal_of_another_job_is_left_alone(tmp_path):
    run(job(tmp_path, [params()]))
    assert journal.read_journal(tmp_path, "another", 2).configs == [journal.Config(), journal.Config()]
    (tmp_path / "journal.json").write_text("{")
    with pytest.raises(JobError, match="journal cannot be read"):
        journal.read_journal(tmp_path, "d", 1)


def test_rounds_spend_the_share_of_the_time_they_are_given():
    for n in (2, 3, 4, 6, 8):
        plan = search.rounds(n, per_example=0.1, per_dev=2, left=1200, examples=10**6, batch=4)
        alive, spent, before = n, 0.0, 0
        for x in plan:
            spent += alive * ((x - before) * 0.1 + 2)
            alive, before = max(1, alive // 2), x
        assert 0.2 * 1200 < spent <= 0.42 * 1200, n
    assert search.rounds(1, 0.1, 1, 1200, 1000, 4) == []
    assert search.rounds(4, 0.1, 1, 20, 1000, 4) == []


def test_schedule_warms_up_and_ends_at_zero():
    s = Schedule(1.0, decay_from=20, total=100)
    assert s.at(0) == pytest.approx(0.1)
    assert s.at(15) == 1.0
    assert s.at(60) == pytest.approx(0.5)
    assert s.at(100) == 0.0
    assert Schedule(1.0).at(10**6) == 1.0


def test_a_damaged_model_folder_is_an_input_error(tmp_path):
    folder = tmp_path / "base"
    tiny_llama().save_pretrained(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:20_000])
    with pytest.raises(JobError) as err:
        base.load_base(job(tmp_path, [params()]), torch.device("cpu"), torch.float32)
    assert err.value.code == "input"
    assert "cannot be loaded" in err.value.what


def test_read_job_refuses_what_makes_no_sense(tmp_path):
    good = {
        "v": 1,
        "digest": "d",
        "base": "b",
        "dir": str(tmp_path),
        "seed": 1,
        "wall_s": 1,
        "train": [{"prompt": [1], "completion": [2]}],
        "dev": [{"prompt": [1], "completion": [2]}],
        "grid": [params().as_json()],
    }
    path = tmp_path / "job.json"

    def told(**changes) -> str:
        path.write_text(json.dumps(good | changes))
        try:
            read_job(path)
        except JobError as err:
            return f"{err.code}: {err.what}"
        return ""

    assert told() == ""
    assert "version 2" in told(v=2)
    assert "no training rows" in told(train=[])
    assert "train row 0 has an empty completion" in told(train=[{"prompt": [1], "completion": []}])
    assert "make no sense" in told(grid=[params(learning_rate=-1).as_json()])
    assert told(dev="x").startswith("internal")


def test_out_of_memory_is_told_from_other_errors():
    try:
        torch.empty(1 << 62, dtype=torch.uint8)
    except RuntimeError as err:
        assert worker._out_of_memory(err)
    assert not worker._out_of_memory(RuntimeError("shapes cannot be multiplied"))
