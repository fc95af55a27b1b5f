"""The plain loop that rung is measured against: the OpenAI Python client, N calls in flight, nothing stored.

Usage: loop.py BASE_URL ITEMS CONCURRENCY. Prints {"items_per_s": ...}.
"""

import asyncio
import json
import sys
import time

from openai import AsyncOpenAI

SYSTEM = "Extract the intent and the slots of the user's request. Answer with one JSON object and nothing else."


async def main(url: str, items: int, concurrency: int) -> float:
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    numbers = iter(range(1, items + 1))

    async def worker() -> None:
        for i in numbers:
            user = f"utterance: play song number {i} by an artist that I like on my usual player"
            messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
            answer = await client.chat.completions.create(
                model="mock", messages=messages, max_tokens=64, temperature=0, seed=0
            )
            assert answer.choices[0].message.content

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return items / (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps({"items_per_s": asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))}))
