// What the OpenAPI document says of the routes, as values that the API page shows.

import { get } from "./api.js";

const TAKES_AWAY = /^(delete|drop|revoke|abort|cancel|retire)_/;

// {groups: [{name, about, operations}]}, in the order in which the document names its tags.
export async function readOperations(signal) {
  const document = await get("/v1/openapi.json", signal);
  const parts = document.components.schemas;
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => operation(method.toUpperCase(), path, told, parts)),
  );
  return document.tags.map(({ name, description }) => ({ name, about: description, operations: all.filter(({ tag }) => tag === name) }));
}

function operation(method, path, told, parts) {
  const body = told.requestBody?.content["application/json"];
  return {
    id: told.operationId,
    method,
    path,
    tag: told.tags[0],
    summary: told.summary,
    description: told.description ?? "",
    scopes: told["x-scopes"] ?? [],
    parameters: (told.parameters ?? []).map((one) => ({ ...one, schema: resolved(one.schema, parts) })),
    bodies: body ? variants(resolved(body.schema, parts)).map((schema) => ({ title: schema.title, fields: fields(schema, parts) })) : null,
    examples: examplesOf(body),
    answers: Object.entries(told.responses).map(([status, answer]) => answerOf(status, answer)),
    takesAway: method === "DELETE" || TAKES_AWAY.test(told.operationId),
  };
}

// [name, value] each.
const examplesOf = (content) => Object.values(content?.examples ?? {}).map(({ summary, value }) => [summary, value]);

function answerOf(status, { description, content }) {
  const [media, told] = Object.entries(content ?? {})[0] ?? ["", {}];
  return { status: Number(status), description, isJson: media === "application/json", examples: examplesOf(told) };
}

function resolved(schema, parts) {
  const { $ref, allOf, ...own } = schema;
  if ($ref) return parts[$ref.split("/").at(-1)];
  return allOf ? Object.assign({}, ...allOf.map((one) => resolved(one, parts)), own) : own;
}

const variants = (schema) => schema.oneOf ?? [schema];

function fields(schema, parts) {
  return Object.entries(schema.properties ?? {}).map(([name, told]) => {
    const one = resolved(told, parts);
    return { name, type: typeOf(one, parts), isNeeded: (schema.required ?? []).includes(name), otherwise: one.default, description: one.description ?? "", sample: sampleOf(one) };
  });
}

// Of a schema, in words: "list of string", "integer, 1 to 1000", "id | -id".
export function typeOf(schema, parts = {}) {
  const { type, enum: values, oneOf, items, minimum, maximum } = resolved(schema, parts);
  if (values) return values.filter((value) => value !== null).join(" | ");
  if (oneOf) return [...new Set(oneOf.map((one) => typeOf(one, parts)))].join(" or ");
  if (type === "array") return `list of ${typeOf(items, parts)}`;
  if (minimum !== undefined && maximum !== undefined) return `${type}, ${minimum} to ${maximum}`;
  return minimum !== undefined ? `${type}, from ${minimum}` : (type ?? "any");
}

// What to write for a field until the person writes something better.
function sampleOf({ type, default: otherwise, example, enum: values, minimum }) {
  if (otherwise !== undefined) return otherwise;
  if (example !== undefined) return example;
  if (values) return values[0];
  return { array: [], object: {}, boolean: true, integer: minimum ?? 1, number: minimum ?? 1 }[type] ?? "";
}
