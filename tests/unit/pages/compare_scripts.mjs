// Compares scripts with their minified and bundled texts, as a parser reads them. See `test_minified_scripts.py`.
//
//   node compare_scripts.mjs NODE_MODULES < cases
//
// A case is `{modules: {name: [source, minified]}, bundles: {entry: text}}`. For each case, prints its differences.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { posix } from "node:path";

const tools = createRequire(`${process.argv[2]}/`);
const { parse } = tools("acorn");
const { analyze } = tools("eslint-scope");

const POSITIONS = new Set(["start", "end", "range", "loc"]);

class Difference extends Error {}

/** Return a script's tree, the text it was read from, and the declaration that each reference resolves to. */
function read(where, text) {
  try {
    const tree = parse(text, { ecmaVersion: 2023, sourceType: "module", ranges: true });
    const targets = new Map();
    for (const scope of analyze(tree, { ecmaVersion: 2023, sourceType: "module" }).scopes) {
      for (const { identifier, resolved } of scope.references) targets.set(identifier, resolved?.defs[0] ?? null);
    }
    return { where, text, tree, targets };
  } catch (error) {
    throw new Difference(`${where} can't be parsed: ${error.message}`);
  }
}

const excerpt = (script, node) => (node ? `\`${script.text.slice(node.start, node.end).slice(0, 120)}\`` : "nothing");

function differ(a, nodeA, b, nodeB) {
  const line = a.text.slice(0, nodeA?.start ?? a.text.length).split("\n").length;
  throw new Difference(`${a.where}:${line}: ${excerpt(a, nodeA)} became ${excerpt(b, nodeB)} in ${b.where}`);
}

/** Return statements with a declaration of its own for each constant. */
const split = (statements) =>
  statements.flatMap((one) =>
    one.type === "VariableDeclaration" && one.kind === "const"
      ? one.declarations.map((each) => ({ ...one, ...at(each), declarations: [each] }))
      : [one],
  );
const at = ({ start, end }) => ({ start, end });

/** Throw at the first difference of two nodes; add each node of `a` with its node of `b` to `pairs`. */
function compare(a, nodeA, b, nodeB, pairs) {
  if (nodeA?.type !== nodeB?.type) differ(a, nodeA, b, nodeB);
  if (!nodeA) return;
  pairs.set(nodeA, nodeB);
  for (const key of new Set([...Object.keys(nodeA), ...Object.keys(nodeB)])) {
    if (POSITIONS.has(key)) continue;
    const [one, other] = [nodeA[key], nodeB[key]];
    if (Array.isArray(one)) {
      const statements = key === "body" || key === "consequent";
      compareAll(a, statements ? split(one) : one, b, statements ? split(other) : other, pairs, [nodeA, nodeB]);
    } else if (one?.type || other?.type) compare(a, one, b, other, pairs);
    else if (JSON.stringify(one) !== JSON.stringify(other)) differ(a, nodeA, b, nodeB);
  }
}

function compareAll(a, nodesA, b, nodesB, pairs, parents) {
  nodesA.forEach((one, n) => (n < nodesB.length ? compare(a, one, b, nodesB[n], pairs) : differ(a, one, b, null)));
  if (nodesB.length > nodesA.length) differ(a, parents[0], b, nodesB[nodesA.length]);
}

/** Return a module's statements without imports, its imports by local name, and its exported declarations. */
function parts(script) {
  const [statements, imports, exported] = [[], [], new Map()];
  for (const one of script.tree.body) {
    if (one.type === "ImportDeclaration") {
      const from = posix.join(posix.dirname(script.where), one.source.value);
      imports.push({ from, names: one.specifiers.map(({ local, imported }) => [local.name, imported.name]) });
    } else if (one.type === "ExportNamedDeclaration") {
      const { declaration } = one;
      for (const { id } of declaration.declarations ?? [declaration]) exported.set(id.name, id);
      statements.push(declaration);
    } else statements.push(one);
  }
  return { statements: split(statements), imports, exported };
}

/** Return modules in the order in which a browser runs them. */
function inOrder(entry, modules, found = new Set()) {
  for (const { from } of modules[entry].imports) if (!found.has(from)) inOrder(from, modules, found);
  return found.add(entry);
}

/** Return the statements of `(() => { … })()`; null if a statement is another. */
function scoped(statement) {
  const call = statement?.expression ?? statement?.declarations?.[0].init;
  const own = call?.type === "CallExpression" && !call.arguments.length && call.callee;
  return own?.type === "ArrowFunctionExpression" && !own.params.length ? split(own.body.body) : null;
}

/** Throw if a bundle is not its modules one after the other, or if a name resolves to another declaration in it. */
function compareBundle(entry, text, modules) {
  const bundle = read(`the bundle ${entry}`, text);
  const rest = split(bundle.tree.body);
  const pairs = new Map();
  const aliases = new Map(); // a declaration of another name for a declaration: the reference to that
  const order = [...inOrder(entry, modules)];
  for (const name of order) {
    const { script, statements, imports, exported } = modules[name];
    const own = name === entry ? split(rest[0]?.body ?? []) : scoped(rest[0]);
    const body = own ?? rest;
    for (const [local, imported] of imports.flatMap(({ names }) => names).filter(([to, of]) => to !== of)) {
      const [{ id, init }] = body.shift()?.declarations ?? [{}];
      if (id?.name !== local || init?.name !== imported) differ(script, script.tree, bundle, id);
      aliases.set(id, init);
    }
    compareAll(script, statements, bundle, body.splice(0, statements.length), pairs, [script.tree, bundle.tree]);
    if (!own) continue;
    const outer = rest.shift().declarations?.[0].id.properties ?? [];
    const inner = body.shift()?.argument?.properties ?? [];
    const names = name === entry ? [] : [...exported.keys()];
    for (const [n, one] of names.entries()) {
      if (outer[n]?.value.name !== one || inner[n]?.value.name !== one)
        differ(script, exported.get(one), bundle, outer[n]);
      aliases.set(outer[n].value, inner[n].value);
    }
    if (body.length || outer.length !== names.length) differ(script, null, bundle, body[0] ?? outer[names.length]);
  }
  if (rest.length) differ(modules[entry].script, null, bundle, rest[0]);
  for (const name of order) compareNames(modules[name].script, bundle, modules, pairs, aliases);
}

/** Throw if a reference of a module resolves to another declaration in the bundle. */
function compareNames(script, bundle, modules, pairs, aliases) {
  const imports = new Map();
  for (const { from, names } of modules[script.where].imports) {
    for (const [local, imported] of names) imports.set(local, modules[from].exported.get(imported));
  }
  for (const [reference, target] of script.targets) {
    const declared = target?.type === "ImportBinding" ? imports.get(target.name.name) : target?.name;
    let found = bundle.targets.get(pairs.get(reference))?.name;
    while (aliases.has(found)) found = bundle.targets.get(aliases.get(found))?.name;
    if (pairs.get(declared) !== found || (target && !found)) {
      const is = declared ? "a declaration" : "the browser's";
      throw new Difference(
        `${script.where}: ${reference.name} is ${is}, but ${found ? "another" : "none"} in ${bundle.where}`,
      );
    }
  }
}

/** Return the message of a difference in a list, or an empty list. */
function differences(work) {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof Difference) return [error.message];
    throw error;
  }
}

function check({ modules, bundles }) {
  const found = [];
  const sources = {};
  for (const [name, [source, minified]] of Object.entries(modules)) {
    found.push(
      ...differences(() => {
        const script = read(name, source);
        sources[name] = { script, ...parts(script) };
        const bare = read(`${name}, minified`, minified);
        compare(script, script.tree, bare, bare.tree, new Map());
      }),
    );
  }
  for (const [entry, text] of Object.entries(bundles)) {
    found.push(...differences(() => compareBundle(entry, text, sources)));
  }
  return found;
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(check)));
