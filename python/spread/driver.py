"""Spreads the row work of `rung data` over a Ray cluster: driver.py, started by rung on a node of the cluster.

What is done with rows is all in the rung binary. This program takes parts of the work from the rung that started it, has them done by the
same binary on the cluster's nodes, and gives the answers back in the order of the parts. It looks into neither.

Frames, on standard input and output, here and between a worker and its rung: 4 bytes of length (big endian), one byte that says what it is,
and so many bytes. To here: J (the job, JSON), U (a set-up: what the next parts need), M (JSON: what follows), P (a part). From here: H (the
cluster, JSON), R (an answer), D (all answers given), B (a sign of life), E (an error, JSON of code, place, what, do). End of input ends it.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import pathlib
import queue
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HEAD = ">IB"  # what workers use is sent to them by value, and a struct.Struct cannot be
LARGEST = 1 << 30
PATIENCE = 900  # seconds that a worker may take for one part
TRIES = 3  # of a part whose worker died


class RungError(Exception):
    """An error for a person: the JSON of code, place, what and do."""

    def __init__(self, text: str):
        super().__init__(text)
        self.text = text


def fault(code: str, what: str, do: str, place: str = "") -> RungError:
    return RungError(json.dumps({"code": code, "place": place, "what": what, "do": do}))


def send(out, kind: str, body: bytes = b"") -> None:
    out.write(struct.pack(HEAD, len(body), ord(kind)) + body)
    out.flush()


def read(stream) -> tuple[str, bytes]:
    """The next frame; ("", b"") at the end."""
    head = stream.read(struct.calcsize(HEAD))
    if len(head) < struct.calcsize(HEAD):
        return "", b""
    size, kind = struct.unpack(HEAD, head)
    if size > LARGEST:
        raise fault("internal", f"a frame of {size} bytes", "report it")
    body = stream.read(size)
    return (chr(kind), body) if len(body) == size else ("", b"")


def installed(job: dict, binary) -> str:
    """Where the rung binary is on this node: the one the user named, or the one that came with the job, kept by its digest."""
    if job["installed"]:
        return job["installed"]
    import ray

    base = os.environ.get("RUNG_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rung")
    folder = pathlib.Path(base) / "spread"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="rung-spread-"))
    path = folder / f"rung-{job['digest'][:16]}"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != job["digest"]:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as out:
            out.write(ray.get(binary))
        os.chmod(out.name, 0o700)
        os.replace(out.name, path)
    return str(path)


class Worker:
    """One `rung data worker` on a node. A part whose rung died, for want of memory perhaps, is given to a new one."""

    def __init__(self, job: dict, binary, setup):
        import ray

        self.job, self.node, self.process = job, socket.gethostname(), None
        self.path = installed(job, binary)
        self.setup = ray.get(setup[0])

    def start(self) -> None:
        command = [self.path, "data", "worker"]
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"GOMAXPROCS": "1"})
        except OSError as e:
            do = "install rung of the same version there, and name it with RUNG_SPREAD_BINARY"
            raise fault("missing", f"rung does not start on node {self.node}: {e}", do, self.path) from e
        kind, body = self.answer("", b"")
        hello = json.loads(body) if kind == "H" else {}
        if hello.get("version") != self.job["version"]:
            self.stop()
            said = f"version {hello['version']}" if hello.get("version") else "no rung of this version"
            what = f"the rung on node {self.node} is {said}, and this one is version {self.job['version']}"
            raise fault("conflict", what, "install the same rung on all nodes", self.path)
        kind, body = self.answer("U", self.setup)
        if kind == "E":
            raise RungError(body.decode())
        if kind != "R":
            raise ChildProcessError(f"rung ended on node {self.node}")

    def answer(self, kind: str, body: bytes) -> tuple[str, bytes]:
        """Sends a frame and reads the answer. A rung that says nothing for too long is killed, which reads as its end."""
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            if kind:
                send(self.process.stdin, kind, body)
            return read(self.process.stdout)
        except BrokenPipeError:
            return "", b""
        finally:
            watch.cancel()

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def do(self, part: bytes) -> bytes:
        for _ in range(TRIES):
            try:
                if self.process is None:
                    self.start()
                kind, body = self.answer("P", part)
            except ChildProcessError:
                kind, body = "", b""
            if kind == "R":
                return body
            if kind == "E":
                raise RungError(body.decode())
            self.stop()
        do = "give the nodes more memory, or look at what kills it there"
        raise fault("capacity", f"rung died {TRIES} times over one part on node {self.node}", do, self.path)

    def __call__(self, row: dict) -> dict:
        return {"at": row["at"], "answer": self.do(row["part"])}


def rung_error(e: BaseException) -> RungError | None:
    """The error of a worker's rung out of what Ray made of it: mostly a text with the worker's traceback."""
    found = re.findall(r"^(?:[\w.]*\.)?RungError: (\{.*\})\s*$", str(e), re.MULTILINE)
    return RungError(found[-1]) if found else None


class Cluster:
    def __init__(self, job: dict):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        import ray
        import ray.data

        self.ray = ray
        try:
            own = {"include_dashboard": False} if job["address"] == "local" else {}
            ray.init(address=job["address"], log_to_driver=False, logging_level="ERROR", configure_logging=False, **own)
        except (ConnectionError, RuntimeError, TimeoutError, ValueError) as e:
            lines = str(e).strip().splitlines() or [type(e).__name__]
            do = "start one with `ray start --head` on this machine, or join this machine to the cluster; docs/data-ray.md"
            raise fault("unreachable", f"there is no Ray cluster to work on: {lines[0]}", do, job["address"]) from e
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        nodes = [n for n in ray.nodes() if n["Alive"]]
        self.cpus = int(ray.cluster_resources().get("CPU", 0))
        if self.cpus < 1:
            raise fault("capacity", "the Ray cluster has no processor to give", "start its nodes with --num-cpus of at least 1", job["address"])
        self.about = {"ray": ray.__version__, "nodes": len(nodes), "cpus": self.cpus}
        self.job = job
        self.binary = None if job["installed"] else ray.put(pathlib.Path(job["binary"]).read_bytes())
        self.setup = None
        self.workers: list = []

    def use(self, setup: bytes) -> None:
        self.dismiss()
        self.setup = [self.ray.put(setup)]

    def dismiss(self) -> None:
        for w in self.workers:
            self.ray.kill(w)
        self.workers = []

    def through_data(self, parts: list[bytes], give) -> None:
        """Rows of files: a Ray Data job, as many workers as there is room for, answers in order, none of them gathered."""
        self.dismiss()
        items = [{"at": i, "part": p} for i, p in enumerate(parts)]
        most = max(1, min(self.cpus, len(items)))
        data = self.ray.data.from_items(items, override_num_blocks=min(len(items), 10_000)).map(
            Worker,
            fn_constructor_args=[self.job, self.binary, self.setup],
            compute=self.ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
            num_cpus=1,
            ray_remote_args_fn=lambda: {"scheduling_strategy": "SPREAD"},
        )
        expected = 0
        for row in data.iter_rows():
            if row["at"] != expected:
                raise fault("internal", f"the answer to part {row['at']} came in the place of {expected}", "report it")
            give(row["answer"])
            expected += 1
        if expected != len(items):
            raise fault("internal", f"{expected} answers to {len(items)} parts", "report it")

    def through_workers(self, parts: list[bytes], give) -> None:
        """Pairs and clusters, of which there are many small rounds: workers that stay, a few parts on the way to each."""
        if not self.workers:
            remote = self.ray.remote(num_cpus=1, max_restarts=3, max_task_retries=3, scheduling_strategy="SPREAD")(Worker)
            self.workers = [remote.remote(self.job, self.binary, self.setup) for _ in range(self.cpus)]
        under_way = collections.deque()
        for i, part in enumerate(parts):
            if len(under_way) >= 3 * len(self.workers):
                give(self.ray.get(under_way.popleft()))
            under_way.append(self.workers[i % len(self.workers)].do.remote(part))
        while under_way:
            give(self.ray.get(under_way.popleft()))


def frames(stream):
    """Gives the frames of a stream one by one. A thread reads ahead, so that its end is seen while Ray works: nobody waits for the result then."""
    waiting = queue.Queue(maxsize=10_000)

    def listen() -> None:
        kind = "-"
        while kind:
            try:
                kind, body = read(stream)
            except RungError:
                kind, body = "", b""
            waiting.put((kind, body))
        time.sleep(15)  # what is under way may end well
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return waiting.get


def serve(inbox, out) -> None:
    lock = threading.Lock()
    following = frames(inbox)

    def say(kind: str, body: bytes = b"") -> None:
        with lock:
            send(out, kind, body)

    done = threading.Event()

    def live() -> None:
        while not done.wait(5):
            say("B")

    threading.Thread(target=live, daemon=True).start()
    cluster = None
    try:
        while True:
            kind, body = following()
            if kind == "":
                break
            if kind == "J":
                cluster = Cluster(json.loads(body))
                say("H", json.dumps(cluster.about).encode())
            elif kind == "U":
                cluster.use(body)
            elif kind == "M":
                what = json.loads(body)
                parts = [following()[1] for _ in range(what["parts"])]
                (cluster.through_data if what["files"] else cluster.through_workers)(parts, lambda answer: say("R", answer))
                say("D")
    except BaseException as e:  # whatever it is, rung must hear of it
        known = e if isinstance(e, RungError) else rung_error(e)
        if known is None:
            traceback.print_exc()
            lines = [line for line in str(e).strip().splitlines() if line.strip()] or [type(e).__name__]
            known = fault("internal", f"the Ray job failed: {lines[0]}", "look at Ray's logs on the node, and at the lines above")
        say("E", known.text.encode())
    done.set()
    if cluster:
        cluster.ray.shutdown()


def main() -> None:
    # Ray and what it starts print; the frames go out alone.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, out)
    out.flush()
    os._exit(0)  # not waiting for threads of Ray; its workers end with the connection


if __name__ == "__main__":
    main()
