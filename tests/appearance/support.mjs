// Which features of HTML and CSS a mail uses, and how the mail programs take them, by caniemail's data.
import { caniemail, rawData } from "caniemail";
import { eachFile } from "./each_file.mjs";

// What each program does with each feature, before we bend the data: {feature: {client: "y" | "a #1" | "n" | "u"}}.
const support = {};
for (const { title, stats } of rawData.data) {
  support[title] = {};
  for (const [family, platforms] of Object.entries(stats))
    for (const [platform, versions] of Object.entries(platforms)) support[title][`${family}.${platform}`] = Object.values(versions).at(-1);
}
// caniemail tells only of what isn't supported, of its own list of programs (Outlook.com and GMX are not on it), and
// stops where a program was never asked. So one program supports nothing now: what it lacks is what the mail uses.
const PROBE = "gmail.desktop-webmail";
for (const feature of rawData.data) feature.stats = { gmail: { "desktop-webmail": { "2020-01": "n" } } };

const titlesIn = (options) => (caniemail({ clients: [PROBE], ...options }).issues.errors.get(PROBE) ?? []).map(({ title }) => title);

// Its stylesheet check looks past what stands inside an at-rule, and past what the rule asks.
function* atRules(html) {
  for (const [, css] of html.matchAll(/<style\b[^>]*>(.*?)<\/style>/gs))
    for (const [, name, asked, inner] of css.matchAll(/@([a-z-]+)([^{;]*)\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}/gs)) yield { name, asked, inner };
}

await eachFile((data) => {
  const html = data.toString("utf8").replace(/<!--.*?-->/gs, "");
  const used = new Set(titlesIn({ html }));
  for (const { name, asked, inner } of atRules(html)) {
    for (const title of Object.keys(support)) {
      const feature = title.match(/^@media \((?:.*\s)?([a-z-]+)(?:: .*)?\)$/)?.[1];
      if (title === `@${name}` || (name === "media" && feature && asked.includes(feature))) used.add(title);
    }
    if (inner.trim()) for (const title of titlesIn({ css: inner })) used.add(title);
  }
  return Object.fromEntries([...used].sort().map((title) => [title, support[title]]));
});
