// Usage: node asyncapi.mjs FILE. Checks an AsyncAPI document, with all it refers to, and prints the messages of each channel as
// JSON. Exits with 1, and says what is wrong, when the parser has an error or a warning.
import { Parser, fromFile } from "@asyncapi/parser";

const parser = new Parser();
const { document, diagnostics } = await fromFile(parser, process.argv[2]).parse();
const wrong = diagnostics.filter((d) => d.severity <= 1); // errors and warnings
for (const d of wrong) {
  console.error(`${d.range.start.line + 1}: ${d.code}: ${d.message} (${d.path.join(".")})`);
}
if (wrong.length > 0 || !document) {
  process.exit(1);
}
const channels = {};
for (const channel of document.channels()) {
  channels[channel.address()] = {};
  for (const message of channel.messages()) {
    const payload = message.payload()?.json();
    channels[channel.address()][message.id()] = {
      contentType: message.contentType(),
      headers: message.headers()?.json(),
      properties: payload ? Object.keys(payload.properties) : null,
      key: message.bindings().get("kafka")?.value().key,
    };
  }
}
console.log(JSON.stringify(channels));
