// HTML of pages as html-validate judges it.
import { HtmlValidate, StaticConfigLoader } from "html-validate";
import { eachFile } from "./each_file.mjs";

const validator = new HtmlValidate(
  new StaticConfigLoader({
    root: true,
    extends: ["html-validate:recommended", "html-validate:a11y", "html-validate:document"],
    rules: {
      "form-dup-name": ["error", { shared: ["radio", "checkbox", "submit"] }], // a form posts a list of topics so
    },
  }),
);

await eachFile(async (data) => {
  const report = await validator.validateString(data.toString("utf8"), "page.html");
  return report.results.flatMap(({ messages }) => messages.map(({ ruleId, message, line, column }) => `${line}:${column} ${ruleId}: ${message}`));
});
