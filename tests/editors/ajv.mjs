// Compiles a JSON Schema with ajv in its strict mode, and checks YAML texts by it.
// The file named holds {schema, documents: {name: text}}; prints {name: [error, ...]}.

import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { parse } from "yaml";

const { schema, documents } = JSON.parse(readFileSync(process.argv[2]));
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema);
const errorsOf = (text) =>
  validate(parse(text)) ? [] : validate.errors.map(({ instancePath, message }) => `${instancePath} ${message}`);
const found = Object.entries(documents).map(([name, text]) => [name, errorsOf(text)]);
process.stdout.write(JSON.stringify(Object.fromEntries(found)));
