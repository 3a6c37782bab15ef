// The frame of every script here: {name: path} in, {name: what `judge` says of the file} out, both JSON.
import { readFileSync } from "node:fs";

export async function eachFile(judge) {
  const files = JSON.parse(readFileSync(0, "utf8"));
  const said = {};
  for (const [name, path] of Object.entries(files)) said[name] = await judge(readFileSync(path));
  process.stdout.write(JSON.stringify(said));
}
