// Write the licences of what is bundled beside the bundle.
import { readdirSync, readFileSync, writeFileSync, existsSync } from "node:fs";

const scopes = ["", "@codemirror/", "@lezer/", "@marijn/"];
const names = scopes.flatMap((scope) => readdirSync(`node_modules/${scope}`).map((name) => scope + name));
const texts = names
  .filter((name) => !/^[@.]|^esbuild/.test(name.replace(/^@(codemirror|lezer|marijn)\//, "")) && existsSync(`node_modules/${name}/LICENSE`))
  .map((name) => `${name} ${JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8")}`);
writeFileSync("../static/godwit/vendor/editor.LICENSES.txt", texts.join("\n---\n\n"));
