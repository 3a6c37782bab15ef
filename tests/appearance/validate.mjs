// HTML of mails as html-validate judges it.
import { HtmlValidate, StaticConfigLoader } from "html-validate";
import { eachFile } from "./each_file.mjs";

const validator = new HtmlValidate(
  new StaticConfigLoader({
    root: true,
    extends: ["html-validate:recommended", "html-validate:a11y"],
    // Off, each for its reason; everything else of these two sets holds.
    rules: {
      "no-inline-style": "off", // GMX and others drop style elements: all style stands in attributes
      "no-deprecated-attr": "off", // Word needs bgcolor, width, align, cellpadding and cellspacing
      "no-conditional-comment": "off", // Word gets its table of 600 px by them
      "prefer-native-element": ["error", { exclude: ["article"] }], // webmail drops <article>, and keeps a div
    },
  }),
);

await eachFile(async (data) => {
  const report = await validator.validateString(data.toString("utf8"), "mail.html");
  return report.results.flatMap(({ messages }) => messages.map(({ ruleId, message, line, column }) => `${line}:${column} ${ruleId}: ${message}`));
});
