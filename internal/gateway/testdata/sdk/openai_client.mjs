// The OpenAI SDK for JavaScript as anybody uses it, against a gateway at GATEWAY with the key KEY.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.MODULES + "/");
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")));

const client = new OpenAI({ baseURL: process.env.GATEWAY + "/v1", apiKey: process.env.KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "hello there you" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } } }];

for (const model of ["talk", "talk@v1", "openai/m"]) {
  const done = await client.chat.completions.create({ model, messages });
  assert.equal(done.choices[0].message.content, "hello there you");
  let text = "";
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, "hello there you");
  const answer = await client.responses.create({ model, input: "hello there you" });
  assert.equal(answer.output_text, "hello there you");
  text = "";
  for await (const event of await client.responses.create({ model, input: "hello there you", stream: true })) if (event.type === "response.output_text.delta") text += event.delta;
  assert.equal(text, "hello there you");
}
for (const model of ["call", "openai/tools"]) {
  const asked = [{ role: "user", content: "weather in Paris?" }];
  const done = await client.chat.completions.create({ model, messages: asked, tools });
  assert.deepEqual(JSON.parse(done.choices[0].message.tool_calls[0].function.arguments), { city: "Paris" });
  const final = await client.chat.completions.stream({ model, messages: asked, tools }).finalChatCompletion();
  assert.equal(final.choices[0].message.tool_calls[0].function.name, "weather");
}
assert.equal((await client.embeddings.create({ model: "openai/embed", input: "a" })).data[0].embedding.length, 8);
await assert.rejects(client.chat.completions.create({ model: "none", messages }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ model: "broken", messages }), OpenAI.InternalServerError);
console.log("ok");
