"""The plain loop that the local engine is measured against: the OpenAI Python client, N calls in flight.

Usage: loop.py BASE_URL REQUESTS.json CONCURRENCY. The file is a list of lists of messages. Prints {"items_per_s": ..., "tokens": ...}.
"""

import asyncio
import json
import sys
import time

from openai import AsyncOpenAI


async def main(url: str, path: str, concurrency: int) -> dict:
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=3600)
    with open(path) as f:
        job = json.load(f)
    waiting = iter(job["requests"])
    tokens = 0

    async def worker() -> None:
        nonlocal tokens
        for messages in waiting:
            answer = await client.chat.completions.create(
                model="local", messages=messages, max_tokens=job["max_tokens"], temperature=0
            )
            tokens += answer.usage.completion_tokens

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return {"items_per_s": len(job["requests"]) / (time.perf_counter() - start), "tokens": tokens}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
