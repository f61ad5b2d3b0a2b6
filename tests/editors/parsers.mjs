// Reads YAML texts with JavaScript's parsers.
// The file named holds {name: text}; prints {name: {yaml: ..., "js-yaml": ...}}.

import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { parse } from "yaml";

const documents = JSON.parse(readFileSync(process.argv[2]));
const read = Object.entries(documents).map(([name, text]) => [name, { yaml: parse(text), "js-yaml": load(text) }]);
process.stdout.write(JSON.stringify(Object.fromEntries(read)));
