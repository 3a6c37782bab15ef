// Mails as two other parsers read them.
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";
import { eachFile } from "./each_file.mjs";

const unfolded = (value) => value.replace(/\r?\n(?=[ \t])/g, "").trim();

async function byMailparser(data) {
  const mail = await simpleParser(data, { skipTextToHtml: true, skipHtmlToText: true, skipImageLinks: true, skipTextLinks: true });
  const raw = {};
  for (const { key, line } of mail.headerLines) (raw[key] ??= []).push(unfolded(line.slice(line.indexOf(":") + 1)));
  const list = mail.headers.get("list");
  return {
    subject: mail.subject ?? "",
    text: mail.text,
    html: mail.html,
    from: mail.from.value.map(({ name, address }) => [name, address]),
    to: mail.to.value.map(({ name, address }) => [name, address]),
    messageId: mail.messageId,
    attachments: mail.attachments.length,
    raw,
    list: list && { id: list.id, unsubscribe: list.unsubscribe },
  };
}

async function byPostalMime(data) {
  const mail = await PostalMime.parse(data);
  const raw = {};
  for (const { key, originalKey, value } of mail.headers) (raw[(key ?? originalKey).toLowerCase()] ??= []).push(unfolded(value));
  return {
    subject: mail.subject ?? "",
    text: mail.text,
    html: mail.html,
    from: [[mail.from.name, mail.from.address]],
    to: mail.to.map(({ name, address }) => [name, address]),
    messageId: mail.messageId,
    attachments: mail.attachments.length,
    raw,
  };
}

await eachFile(async (data) => ({ mailparser: await byMailparser(data), "postal-mime": await byPostalMime(data) }));
