"""The Anthropic SDK for Python as anybody uses it, against a gateway at GATEWAY with the key KEY."""

import os

import anthropic

client = anthropic.Anthropic(base_url=os.environ["GATEWAY"], api_key=os.environ["KEY"], max_retries=0)
hello = [{"role": "user", "content": "hello there you"}]
tool = {"name": "weather", "description": "The weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}

for model in ["talk", "talk@v1", "anthropic/m"]:
    done = client.messages.create(model=model, max_tokens=50, system="be nice", messages=hello)
    assert done.content[0].text == "hello there you" and done.stop_reason == "end_turn" and done.usage.output_tokens > 0, done
    with client.messages.stream(model=model, max_tokens=50, messages=hello) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == "hello there you" and len(pieces) == 3, pieces
    assert final.content[0].text == "hello there you" and final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final

for model in ["call", "anthropic/tools"]:
    done = client.messages.create(model=model, max_tokens=50, tools=[tool], messages=[{"role": "user", "content": "weather in Paris?"}])
    assert done.stop_reason == "tool_use" and done.content[0].name == "weather" and done.content[0].input == {"city": "Paris"}, done
    with client.messages.stream(model=model, max_tokens=50, tools=[tool], messages=[{"role": "user", "content": "weather in Paris?"}]) as stream:
        final = stream.get_final_message()
    assert final.content[0].input == {"city": "Paris"} and final.stop_reason == "tool_use", final

assert "talk" in {m.id for m in client.models.list()}

for kind, call in {
    anthropic.NotFoundError: lambda: client.messages.create(model="none", max_tokens=5, messages=hello),
    anthropic.AuthenticationError: lambda: anthropic.Anthropic(base_url=os.environ["GATEWAY"], api_key="rk_wrong", max_retries=0).messages.create(model="talk", max_tokens=5, messages=hello),
    anthropic.InternalServerError: lambda: client.messages.create(model="broken", max_tokens=5, messages=hello),
}.items():
    try:
        call()
    except kind as e:
        assert e.body["error"]["message"], e
    else:
        raise AssertionError(f"no {kind}")
print("ok")
