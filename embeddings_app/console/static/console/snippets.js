// How a program uses a key: examples with the address and the key filled in, for what the key may do.

const pythonText = (text) => JSON.stringify(text);

function curl(url, secret, { scopes, namespaces }) {
  const namespace = namespaces[0] ?? "default";
  const lines = (path, body) =>
    [
      `curl -s ${url}${path} \\`,
      `  -H 'Authorization: Bearer ${secret}' \\`,
      `  -H 'Content-Type: application/json' \\`,
      `  -d '${JSON.stringify(body)}'`,
    ].join("\n");
  if (scopes.includes("search")) return lines("/v1/search", { namespace, query: "where do foxes sleep" });
  if (scopes.includes("write")) return lines("/v1/upsert", { namespace, id: "1", text: "Foxes live in dens." });
  if (scopes.includes("embed")) return lines("/v1/embed", { inputs: ["where do foxes sleep"] });
  return `curl -s ${url}/v1/cluster -H 'Authorization: Bearer ${secret}'`;
}

const openai = (url, secret) =>
  `from openai import OpenAI

client = OpenAI(base_url=${pythonText(`${url}/v1`)}, api_key=${pythonText(secret)})
model = client.models.list().data[0].id
print(client.embeddings.create(model=model, input="where do foxes sleep").data[0].embedding)
`;

const langchain = (url, secret, { namespaces }) =>
  `from embsearch import Client
from embsearch.langchain import EmbSearchVectorStore

client = Client(${pythonText(url)}, api_key=${pythonText(secret)})
store = EmbSearchVectorStore(${pythonText(namespaces[0] ?? "default")}, client=client, create=False)
print(store.similarity_search("where do foxes sleep"))
`;

// Name -> text.
export const snippets = (url, secret, key) => ({ curl: curl(url, secret, key), OpenAI: openai(url, secret), LangChain: langchain(url, secret, key) });
