// Every endpoint that OpenAI's package for Node has, against the gateway at BASE_URL; prints what it got, a line each.
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Hi" }];
const show = (name, value) => console.log(`${name}: ${value}`);

const chat = await client.chat.completions.create({ model: "demo-chat", messages });
show("chat", chat.choices[0].message.content);

let text = "";
for await (const chunk of await client.chat.completions.create({ model: "demo-chat", messages, stream: true }))
  text += chunk.choices[0]?.delta?.content ?? "";
show("stream", text);

const stopped = await client.chat.completions.create({ model: "demo-chat", messages, stream: true });
for await (const chunk of stopped) break;
show("stopped", stopped.controller.signal.aborted);

show("completion", (await client.completions.create({ model: "demo-chat", prompt: "Hi" })).choices[0].text);
show("response", (await client.responses.create({ model: "demo-chat", input: "Hi" })).output_text);
show("moderation", (await client.moderations.create({ model: "demo-chat", input: "Hi" })).results[0].flagged);

const vectors = await client.embeddings.create({ model: "demo-embedding", input: ["a", "b"], dimensions: 16 });
show("embedding", vectors.data.map((item) => item.embedding.length));

const speech = await client.audio.speech.create({ model: "demo-tts", voice: "alloy", input: "Hi" });
const sound = Buffer.from(await speech.arrayBuffer());
show("speech", sound.subarray(0, 4));
const file = await toFile(sound, "hi.wav");
show("transcription", (await client.audio.transcriptions.create({ model: "demo-stt", file })).text);
show("translation", (await client.audio.translations.create({ model: "demo-stt", file })).text);

const image = await client.images.generate({ model: "demo-image", prompt: "a cat", n: 2 });
show("image", image.data.length);
const picture = await toFile(Buffer.from(image.data[0].b64_json, "base64"), "cat.png", { type: "image/png" });
const edited = await client.images.edit({ model: "demo-image-edit", image: picture, prompt: "a dog" });
show("edit", edited.data.length);
const varied = await client.images.createVariation({ model: "demo-image-edit", image: picture });
show("variation", varied.data.length);

show("models", (await client.models.list()).data.length);
show("model", (await client.models.retrieve("demo-chat")).id);
try {
  await client.chat.completions.create({ model: "nobody", messages });
} catch (error) {
  show("error", `${error.constructor.name} ${error.status} ${error.param}`);
}
