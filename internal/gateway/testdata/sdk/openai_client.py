"""The OpenAI SDK for Python as anybody uses it, against a gateway at GATEWAY with the key KEY."""

import json
import os

import openai

client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key=os.environ["KEY"], max_retries=0)
hello = [{"role": "system", "content": "be nice"}, {"role": "user", "content": "hello there you"}]
tool = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}

for model in ["talk", "talk@v1", "openai/m"]:
    done = client.chat.completions.create(model=model, messages=hello)
    assert done.choices[0].message.content == "hello there you", done
    assert done.choices[0].finish_reason == "stop" and done.usage.total_tokens > 0, done
    raw = client.chat.completions.with_raw_response.create(model=model, messages=hello)
    assert len(raw.headers["x-rung-trace"]) == 32

    pieces, usage = [], None
    for chunk in client.chat.completions.create(model=model, messages=hello, stream=True, stream_options={"include_usage": True}):
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
    assert "".join(pieces) == "hello there you" and len([p for p in pieces if p]) == 3, pieces
    assert usage.completion_tokens > 0

    answer = client.responses.create(model=model, input="hello there you", instructions="be nice")
    assert answer.output_text == "hello there you" and answer.status == "completed", answer
    assert answer.usage.input_tokens > 0
    events = list(client.responses.create(model=model, input=[{"role": "user", "content": "hello there you"}], stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "hello there you"
    assert events[-1].type == "response.completed" and events[-1].response.output_text == "hello there you"

with client.chat.completions.stream(model="talk", messages=hello) as stream:
    assert stream.get_final_completion().choices[0].message.content == "hello there you"
with client.responses.stream(model="talk", input="hello there you") as stream:
    assert stream.get_final_response().output_text == "hello there you"

done = client.chat.completions.create(model="colours", messages=[{"role": "user", "content": "sky"}])
assert json.loads(done.choices[0].message.content) == {"colour": "blue"}

for model in ["call", "openai/tools"]:
    done = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "weather in Paris?"}], tools=[tool])
    call = done.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and json.loads(call.function.arguments) == {"city": "Paris"} and done.choices[0].finish_reason == "tool_calls", done
    name, arguments, finish = "", "", None
    for chunk in client.chat.completions.create(model=model, messages=[{"role": "user", "content": "weather in Paris?"}], tools=[tool], stream=True):
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for c in choice.delta.tool_calls or []:
                name += c.function.name or ""
                arguments += c.function.arguments or ""
    assert name == "weather" and json.loads(arguments) == {"city": "Paris"} and finish == "tool_calls", (name, arguments, finish)

flat = {"type": "function", "name": "weather", "description": "The weather", "parameters": tool["function"]["parameters"], "strict": False}
answer = client.responses.create(model="call", input="weather in Paris?", tools=[flat])
assert answer.output[0].type == "function_call" and json.loads(answer.output[0].arguments) == {"city": "Paris"}, answer
events = list(client.responses.create(model="call", input="weather in Paris?", tools=[flat], stream=True))
assert [e.arguments for e in events if e.type == "response.function_call_arguments.done"] == [answer.output[0].arguments]
assert events[-1].response.output[0].name == "weather"

vectors = client.embeddings.create(model="openai/embed", input=["a", "b"])
assert len(vectors.data) == 2 and len(vectors.data[0].embedding) == 8
assert {"talk", "talk@v1"} <= {m.id for m in client.models.list()}
assert client.models.retrieve("talk").id == "talk"

for kind, call in {
    openai.NotFoundError: lambda: client.chat.completions.create(model="none", messages=hello),
    openai.BadRequestError: lambda: client.chat.completions.create(model="talk", messages=[]),
    openai.InternalServerError: lambda: client.chat.completions.create(model="broken", messages=hello),
    openai.AuthenticationError: lambda: openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="rk_wrong", max_retries=0).chat.completions.create(model="talk", messages=hello),
    openai.PermissionDeniedError: lambda: client.chat.completions.create(model="openai/forbidden", messages=hello),
}.items():
    try:
        call()
    except kind as e:
        assert e.body["message"], e
    else:
        raise AssertionError(f"no {kind}")
print("ok")
